import jwt


def new_verifier(issuer, client_id):
    keys = jwt.PyJWKClient(f"{issuer}/.well-known/jwks.json")
    options = {"require": ["sub", "iss", "exp"], "verify_aud": False}  # client_id says for whom

    def verify(token):
        key = keys.get_signing_key_from_jwt(token).key
        claims = jwt.decode(token, key, algorithms=["RS256"], issuer=issuer, options=options)
        if claims.get("token_use") != "access" or claims.get("client_id") != client_id:
            raise jwt.InvalidTokenError("no access token of this client")
        return claims

    return verify
