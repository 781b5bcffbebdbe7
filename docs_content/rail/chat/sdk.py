import os

from openai import OpenAI

client = OpenAI(
    base_url="http://127.0.0.1:8000/v1",
    api_key=os.environ["LLMRACK_API_KEY"],
)
answer = client.chat.completions.create(
    model="phi-3-mini",
    messages=[{"role": "user", "content": "hi"}],
)
print(answer.choices[0].message.content)
