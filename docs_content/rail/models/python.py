import os

import requests

reply = requests.get(
    "http://127.0.0.1:8000/v1/models",
    headers={"Authorization": f"Bearer {os.environ['LLMRACK_API_KEY']}"},
    timeout=60,
)
reply.raise_for_status()
for model in reply.json()["data"]:
    print(model["id"], model["context_length"], model["capabilities"])
