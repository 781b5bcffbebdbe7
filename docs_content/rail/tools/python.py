import json
import os

import requests

URL = "http://127.0.0.1:8000/v1/chat/completions"
HEADERS = {"Authorization": f"Bearer {os.environ['LLMRACK_API_KEY']}"}
TOOLS = [{
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


def ask(messages):
    body = {"model": "llama-3.1-8b", "messages": messages, "tools": TOOLS}
    reply = requests.post(URL, headers=HEADERS, json=body, timeout=60)
    reply.raise_for_status()
    return reply.json()["choices"][0]["message"]


# 1. The model answers with a call instead of prose.
messages = [{"role": "user", "content": "Weather in Paris?"}]
call = ask(messages)["tool_calls"][0]
arguments = json.loads(call["function"]["arguments"])  # {"city": "Paris"}
print("wants", call["function"]["name"], arguments)

# 2. Look it up, send the result back, and the model puts it into words.
result = {"temp_c": 18, "condition": "cloudy"}
messages += [
    {"role": "assistant", "content": None, "tool_calls": [call]},
    {"role": "tool", "tool_call_id": call["id"], "content": json.dumps(result)},
]
print(ask(messages)["content"])
