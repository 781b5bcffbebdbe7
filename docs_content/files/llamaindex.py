import os

from llama_index.core import Settings
from llama_index.embeddings.openai_like import OpenAILikeEmbedding
from llama_index.llms.openai_like import OpenAILike

Settings.llm = OpenAILike(
    model="llama-3.1-8b",
    api_base="http://127.0.0.1:8000/v1",
    api_key=os.environ["LLMRACK_API_KEY"],
    is_chat_model=True,
    is_function_calling_model=True,
    context_window=[[number tools num_ctx]],
)
Settings.embed_model = OpenAILikeEmbedding(
    model_name="nomic-embed",
    api_base="http://127.0.0.1:8000/v1",
    api_key=os.environ["LLMRACK_API_KEY"],
)
print(Settings.llm.complete("What is a vector index?"))
print(len(Settings.embed_model.get_text_embedding("hello world")))
