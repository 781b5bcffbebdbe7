export OPENAI_API_KEY=rl_live_...
export OPENAI_BASE_URL=http://127.0.0.1:8000/v1

gptme -m local/qwen-2.5-7b
