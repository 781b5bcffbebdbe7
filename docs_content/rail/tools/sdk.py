import json
import os

from openai import OpenAI

client = OpenAI(
    base_url="http://127.0.0.1:8000/v1",
    api_key=os.environ["LLMRACK_API_KEY"],
)
tools = [{
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Get current weather for a city",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
        },
    },
}]
messages = [{"role": "user", "content": "Weather in Paris?"}]

answer = client.chat.completions.create(model="llama-3.1-8b", messages=messages, tools=tools)
call = answer.choices[0].message.tool_calls[0]
print("wants", call.function.name, json.loads(call.function.arguments))

result = {"temp_c": 18, "condition": "cloudy"}
messages += [
    answer.choices[0].message,
    {"role": "tool", "tool_call_id": call.id, "content": json.dumps(result)},
]
answer = client.chat.completions.create(model="llama-3.1-8b", messages=messages, tools=tools)
print(answer.choices[0].message.content)
