import base64
import os
import pathlib
import sys

import requests

# python ask.py photo.jpg "What is on it?"; without a file, a small green square.
GREEN = "iVBORw0KGgoAAAANSUhEUgAAABAAAAAQCAIAAACQkWg2AAAAFklEQVR42mPgyY4nCTGMahjVMHw1AABzOdYBYAJyRQAAAABJRU5ErkJggg=="
named = sys.argv[1:2]
image = base64.b64encode(pathlib.Path(named[0]).read_bytes()).decode() if named else GREEN
question = sys.argv[2] if sys.argv[2:] else "What colour is this?"

reply = requests.post(
    "http://127.0.0.1:8000/v1/chat/completions",
    headers={"Authorization": f"Bearer {os.environ['LLMRACK_API_KEY']}"},
    json={
        "model": "llava-7b",
        "messages": [{
            "role": "user",
            "content": [
                {"type": "text", "text": question},
                {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{image}"}},
            ],
        }],
    },
    timeout=60,
)
reply.raise_for_status()
print(reply.json()["choices"][0]["message"]["content"])
