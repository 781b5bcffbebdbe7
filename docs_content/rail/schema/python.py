import json
import os

import requests

schema = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "born": {"type": "integer"}},
    "required": ["name", "born"],
    "additionalProperties": False,
}
reply = requests.post(
    "http://127.0.0.1:8000/v1/chat/completions",
    headers={"Authorization": f"Bearer {os.environ['LLMRACK_API_KEY']}"},
    json={
        "model": "llama-3.1-8b",
        "messages": [{"role": "user", "content": "Describe Ada Lovelace."}],
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "person", "strict": True, "schema": schema},
        },
    },
    timeout=60,
)
reply.raise_for_status()
person = json.loads(reply.json()["choices"][0]["message"]["content"])
print(person["name"], person["born"])
