"""A stand-in for WeChat's server, for tests, the demo and developers without an account there.

In memory, on loopback only, and never beside a production server. It keeps the rules that
``tests/contract/wechat_facts.json`` lists; nobody has compared it with the live service.
"""
