import json
import os

import requests

with requests.post(
    "http://127.0.0.1:8000/v1/chat/completions",
    headers={"Authorization": f"Bearer {os.environ['LLMRACK_API_KEY']}"},
    json={
        "model": "phi-3-mini",
        "messages": [{"role": "user", "content": "Haiku about SSDs."}],
        "stream": True,
    },
    stream=True,
    timeout=60,
) as reply:
    reply.raise_for_status()
    for line in reply.iter_lines():
        if not line.startswith(b"data: "):
            continue
        data = line[6:]
        if data == b"[DONE]":
            break
        delta = json.loads(data)["choices"][0]["delta"]
        print(delta.get("content", ""), end="", flush=True)
print()
