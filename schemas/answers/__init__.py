"""What `/workflow/*` and its neighbours answer, by resource.

They describe the OpenAPI document, from which the page's types are made; tests hold the answers against them.
"""
