FROM python:3.13-slim
RUN useradd --create-home --uid 10001 llmrack
WORKDIR /app
COPY requirements.txt script/setup ./
COPY script script
RUN script/setup requirements.txt
COPY . .
RUN mkdir -p instance && chown llmrack instance
USER llmrack
ENV LLMRACK_HOST=0.0.0.0 LLMRACK_ENVIRONMENT=production
VOLUME /app/instance
EXPOSE 8000
HEALTHCHECK CMD ["python", "-c", "from llmrack.settings import load; from urllib.request import urlopen; urlopen(f'http://127.0.0.1:{load().port}/healthz', timeout=3)"]
CMD ["script/server"]
