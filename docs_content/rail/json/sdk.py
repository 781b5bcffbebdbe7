import json
import os

from openai import OpenAI

client = OpenAI(
    base_url="http://127.0.0.1:8000/v1",
    api_key=os.environ["LLMRACK_API_KEY"],
)
answer = client.chat.completions.create(
    model="llama-3.1-8b",
    messages=[{
        "role": "user",
        "content": "Give me a JSON object with the keys name and age.",
    }],
    response_format={"type": "json_object"},
)
print(json.loads(answer.choices[0].message.content))
