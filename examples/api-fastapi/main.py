"""An API behind the gateway: GET /api/me says whose token it was sent."""

import os

import jwt
from fastapi import Depends, FastAPI, HTTPException
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from verifier import new_verifier

verify = new_verifier(os.environ["COGNITO_ISSUER"], os.environ["COGNITO_CLIENT_ID"])
app = FastAPI()


def user(sent: HTTPAuthorizationCredentials | None = Depends(HTTPBearer(auto_error=False))) -> dict:
    """Returns the claims of the token. No coroutine: fetching keys would hold up the others."""
    try:
        return verify(sent.credentials if sent else "")
    except Exception as error:
        if isinstance(error, jwt.PyJWTError) and not isinstance(error.__context__, OSError):
            raise HTTPException(401, "invalid token", {"WWW-Authenticate": 'Bearer error="invalid_token"'}) from error
        raise HTTPException(503, "no keys to verify tokens by") from error


@app.get("/api/me")
def me(claims: dict = Depends(user)) -> dict:
    return {"sub": claims["sub"]}
