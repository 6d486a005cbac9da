"""Language models of an assistant's own domain: terms → sentences → n-grams, words → pronunciations.

Everything but `build` is pure. The builder's process imports this package: nothing heavy belongs here.
"""
