pip install "litellm[proxy]"
export LLMRACK_API_KEY="rl_live_..."
export LITELLM_MASTER_KEY="sk-choose-your-own"
litellm --config config.yaml --port 4000
