"""What a target does with the gateway's word: checks it by the keys that the gateway tells, and says who asks."""

import json
import ssl
import sys

import jwt

keys, authority, audience, token = sys.argv[1:]
client = jwt.PyJWKClient(keys, ssl_context=ssl.create_default_context(cafile=authority))
key = client.get_signing_key_from_jwt(token)
claims = jwt.decode(token, key, algorithms=["ES256"], audience=audience, issuer="https://localhost")
json.dump(claims, sys.stdout)
