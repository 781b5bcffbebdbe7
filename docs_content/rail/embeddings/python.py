import math
import os

import requests

reply = requests.post(
    "http://127.0.0.1:8000/v1/embeddings",
    headers={"Authorization": f"Bearer {os.environ['LLMRACK_API_KEY']}"},
    json={
        "model": "nomic-embed",
        "input": ["the quick brown fox", "a fast brown fox", "hello world"],
    },
    timeout=60,
)
reply.raise_for_status()
fox, quick, hello = (row["embedding"] for row in reply.json()["data"])


def similarity(a, b):
    return sum(x * y for x, y in zip(a, b)) / (math.hypot(*a) * math.hypot(*b))


print(f"fox and fox   {similarity(fox, quick):.2f}")
print(f"fox and hello {similarity(fox, hello):.2f}")
