import asyncio
import os

from autogen_agentchat.agents import AssistantAgent
from autogen_ext.models.openai import OpenAIChatCompletionClient

client = OpenAIChatCompletionClient(
    model="llama-3.1-8b",
    base_url="http://127.0.0.1:8000/v1",
    api_key=os.environ["LLMRACK_API_KEY"],
    model_info={
        "function_calling": True,
        "json_output": True,
        "structured_output": True,
        "vision": False,
        "family": "unknown",
    },
)


async def main():
    assistant = AssistantAgent("assistant", model_client=client)
    result = await assistant.run(task="Plan a CPU benchmark run.")
    print(result.messages[-1].content)
    await client.close()


asyncio.run(main())
