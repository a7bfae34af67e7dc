"""Model files in the formats of other programs: the base model is read from one, a tuned model is written as some::

convert    a program that makes the base model's folder from its 4-bit GGUF file, once
gguf_file  weights, vocabulary and chat template in one file, for llama.cpp, Ollama and LM Studio
modelfile  Ollama's Modelfile: the template of training, and the settings that must be equal
"""
