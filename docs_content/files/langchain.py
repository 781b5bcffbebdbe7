import os

from langchain_openai import ChatOpenAI

llm = ChatOpenAI(
    base_url="http://127.0.0.1:8000/v1",
    api_key=os.environ["LLMRACK_API_KEY"],
    model="llama-3.1-8b",
    stream_usage=True,
)
for chunk in llm.stream("Summarize RAG in one paragraph."):
    print(chunk.content, end="", flush=True)
print()
