import os

from langchain_openai import OpenAIEmbeddings

embeddings = OpenAIEmbeddings(
    base_url="http://127.0.0.1:8000/v1",
    api_key=os.environ["LLMRACK_API_KEY"],
    model="nomic-embed",
    check_embedding_ctx_length=False,
)
print(len(embeddings.embed_query("hello world")))
