import os

import requests

reply = requests.post(
    "http://127.0.0.1:8000/v1/chat/completions",
    headers={"Authorization": f"Bearer {os.environ['LLMRACK_API_KEY']}"},
    json={
        "model": "phi-3-mini",
        "messages": [{"role": "user", "content": "hi"}],
    },
    timeout=60,
)
reply.raise_for_status()
print(reply.json()["choices"][0]["message"]["content"])
