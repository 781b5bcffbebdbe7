llm keys set llmrack        # asks for your key
llm -m llmrack "hi"
