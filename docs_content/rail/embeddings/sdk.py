import os

from openai import OpenAI

client = OpenAI(
    base_url="http://127.0.0.1:8000/v1",
    api_key=os.environ["LLMRACK_API_KEY"],
)
answer = client.embeddings.create(
    model="nomic-embed",
    input=["the quick brown fox", "hello world"],
)
for row in answer.data:
    print(row.index, len(row.embedding), row.embedding[:3])
