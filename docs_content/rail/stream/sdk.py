import os

from openai import OpenAI

client = OpenAI(
    base_url="http://127.0.0.1:8000/v1",
    api_key=os.environ["LLMRACK_API_KEY"],
)
stream = client.chat.completions.create(
    model="phi-3-mini",
    messages=[{"role": "user", "content": "Haiku about SSDs."}],
    stream=True,
)
for chunk in stream:
    print(chunk.choices[0].delta.content or "", end="", flush=True)
print()
