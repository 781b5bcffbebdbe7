import asyncio
import os

from openai import AsyncOpenAI
from semantic_kernel import Kernel
from semantic_kernel.connectors.ai.function_choice_behavior import FunctionChoiceBehavior
from semantic_kernel.connectors.ai.open_ai import OpenAIChatCompletion, OpenAIChatPromptExecutionSettings
from semantic_kernel.contents import ChatHistory
from semantic_kernel.functions import kernel_function


class Weather:
    @kernel_function(description="Get current weather for a city")
    def get_weather(self, city: str) -> str:
        return '{"temp_c": 18, "condition": "cloudy"}'


async def main() -> None:
    client = AsyncOpenAI(base_url="http://127.0.0.1:8000/v1", api_key=os.environ["LLMRACK_API_KEY"])
    chat = OpenAIChatCompletion(ai_model_id="llama-3.1-8b", async_client=client)
    kernel = Kernel()
    kernel.add_plugin(Weather(), "weather")
    history = ChatHistory()
    history.add_user_message("What is the weather in Paris?")
    settings = OpenAIChatPromptExecutionSettings(function_choice_behavior=FunctionChoiceBehavior.Auto())
    print(await chat.get_chat_message_content(history, settings, kernel=kernel))


asyncio.run(main())
