import os

from autogen import AssistantAgent, UserProxyAgent

config_list = [{
    "model": "llama-3.1-8b",
    "api_key": os.environ["LLMRACK_API_KEY"],
    "base_url": "http://127.0.0.1:8000/v1",
    "api_type": "openai",
}]
assistant = AssistantAgent("assistant", llm_config={"config_list": config_list})
user = UserProxyAgent("user", human_input_mode="NEVER", max_consecutive_auto_reply=0, code_execution_config=False)
user.initiate_chat(assistant, message="Plan a CPU benchmark run.")
