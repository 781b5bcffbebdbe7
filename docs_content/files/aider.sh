export OPENAI_API_KEY=rl_live_...
export OPENAI_API_BASE=http://127.0.0.1:8000/v1

aider --model openai/llama-3.1-8b
# or, quicker:
aider --model openai/phi-3-mini
