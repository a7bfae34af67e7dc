"""What other programs read.

Each file writes one format of an exported model::

    gguf_file  weights, vocabulary and chat template in one file, for llama.cpp, Ollama and LM Studio
    modelfile  Ollama's Modelfile: the template of training, and the settings that must be equal
"""
