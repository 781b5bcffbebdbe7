import json
import os

import requests

reply = requests.post(
    "http://127.0.0.1:8000/v1/chat/completions",
    headers={"Authorization": f"Bearer {os.environ['LLMRACK_API_KEY']}"},
    json={
        "model": "llama-3.1-8b",
        "messages": [{
            "role": "user",
            "content": "Give me a JSON object with the keys name and age.",
        }],
        "response_format": {"type": "json_object"},
    },
    timeout=60,
)
reply.raise_for_status()
print(json.loads(reply.json()["choices"][0]["message"]["content"]))
