"""authlib's authorization server on Flask, with everything in memory. It reads its
configuration as a line of JSON and prints where it listens as another one."""
import json
import os
import secrets
import sys
import threading
import time

os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"

from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2.rfc6749 import grants
from authlib.oauth2.rfc7636 import CodeChallenge
from flask import Flask, jsonify, request
from werkzeug.serving import make_server

config = json.loads(sys.stdin.readline())
lock = threading.RLock()
codes, access, refresh = {}, {}, {}


class Client:
    def get_client_id(self):
        return config["client_id"]

    def get_default_redirect_uri(self):
        return config["redirect_uri"]

    def get_allowed_scope(self, scope):
        return scope

    def check_redirect_uri(self, uri):
        return uri == config["redirect_uri"] or uri.startswith("http://127.0.0.1:")

    def check_client_secret(self, secret):
        return secrets.compare_digest(secret.encode(), config["client_secret"].encode())

    def check_endpoint_auth_method(self, method, endpoint):
        return method == "client_secret_basic"

    def check_response_type(self, response_type):
        return response_type == "code"

    def check_grant_type(self, grant_type):
        return grant_type in ("authorization_code", "refresh_token")


class Code:
    def __init__(self, **members):
        self.__dict__.update(members)

    def get_redirect_uri(self):
        return self.redirect_uri

    def get_scope(self):
        return self.scope


class Token(dict):
    def get_scope(self):
        return self.get("scope") or ""

    def get_expires_in(self):
        return self["expires_in"]

    def check_client(self, client):
        return True


class AuthorizationCodeGrant(grants.AuthorizationCodeGrant):
    TOKEN_ENDPOINT_AUTH_METHODS = ["client_secret_basic"]

    def save_authorization_code(self, code, request):
        codes[code] = Code(
            code=code, redirect_uri=request.redirect_uri, scope=request.scope, user=request.user,
            code_challenge=request.data.get("code_challenge"),
            code_challenge_method=request.data.get("code_challenge_method"),
        )

    def query_authorization_code(self, code, client):
        return codes.get(code)

    def delete_authorization_code(self, code):
        codes.pop(code.code, None)

    def authenticate_user(self, code):
        return code.user


class RefreshTokenGrant(grants.RefreshTokenGrant):
    TOKEN_ENDPOINT_AUTH_METHODS = ["client_secret_basic"]
    INCLUDE_NEW_REFRESH_TOKEN = True

    def authenticate_refresh_token(self, token):
        return refresh.get(token)

    def authenticate_user(self, credential):
        return "erika"

    def revoke_old_credential(self, credential):  # a refresh kills the old access token too
        refresh.pop(credential["refresh_token"], None)
        access.pop(credential["access_token"], None)


def save_token(token, request):
    token = Token(token, issued=time.time())
    access[token["access_token"]] = token
    if token.get("refresh_token"):
        refresh[token["refresh_token"]] = token


app = Flask(__name__)
app.config["OAUTH2_REFRESH_TOKEN_GENERATOR"] = True
app.config["OAUTH2_TOKEN_EXPIRES_IN"] = {"authorization_code": config["lifetime"], "refresh_token": config["lifetime"]}
server = AuthorizationServer(
    app, query_client=lambda id: Client() if id == config["client_id"] else None, save_token=save_token
)
server.register_grant(AuthorizationCodeGrant, [CodeChallenge(required=False)])
server.register_grant(RefreshTokenGrant)


@app.route("/authorize")
def authorize():
    with lock:
        return server.create_authorization_response(grant_user="erika")


@app.route("/token", methods=["POST"])
def token():
    with lock:
        return server.create_token_response()


@app.route("/_test/revoke")
def revoke():
    with lock:
        access.clear()
        refresh.clear()
    return jsonify({})


@app.route("/orders")
def orders():
    known = access.get(request.headers.get("Authorization", "").removeprefix("Bearer "))
    if known is None or time.time() > known["issued"] + known["expires_in"]:
        return jsonify(error="invalid_token"), 401, {"WWW-Authenticate": 'Bearer error="invalid_token"'}
    return jsonify(orders=[])


http = make_server("127.0.0.1", 0, app, threaded=True)
origin = f"http://127.0.0.1:{http.server_port}"
print(json.dumps({
    "authorization_endpoint": origin + "/authorize", "token_endpoint": origin + "/token", "api": origin, "origin": origin,
}), flush=True)
http.serve_forever()
