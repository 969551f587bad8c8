"""django-oauth-toolkit with a database in a temporary directory. It reads its
configuration as a line of JSON and prints where it listens as another one."""
import json
import os
import sys
import tempfile
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import django
from django.conf import settings

config = json.loads(sys.stdin.readline())
directory = tempfile.TemporaryDirectory()


class Human:
    """Somebody is logged in at the authorization endpoint."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        from django.contrib.auth.models import User

        if request.path.startswith("/o/authorize"):
            request.user = User.objects.get(username="erika")
        return self.get_response(request)


settings.configure(
    SECRET_KEY="a key of this process",
    DEBUG=False,
    ALLOWED_HOSTS=["127.0.0.1"],
    ROOT_URLCONF=__name__,
    USE_TZ=True,
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    DATABASES={"default": {
        "ENGINE": "django.db.backends.sqlite3", "NAME": os.path.join(directory.name, "db"), "OPTIONS": {"timeout": 20},
    }},
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "oauth2_provider"],
    MIDDLEWARE=["django.middleware.common.CommonMiddleware", __name__ + ".Human"],
    TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}],
    OAUTH2_PROVIDER={
        "ACCESS_TOKEN_EXPIRE_SECONDS": config["lifetime"],
        "ROTATE_REFRESH_TOKEN": True,
        "PKCE_REQUIRED": False,
        "SCOPES": {"orders": "orders"},
        "ALLOWED_REDIRECT_URI_SCHEMES": ["http"],
        "OIDC_ENABLED": True,
        "OIDC_RSA_PRIVATE_KEY": config["private_key"],
    },
)
django.setup()

from django.contrib.auth.models import User
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application
from django.http import JsonResponse
from django.urls import include, path
from oauth2_provider.decorators import protected_resource
from oauth2_provider.models import AccessToken, Application, RefreshToken


@protected_resource()
def orders(request):
    return JsonResponse({"orders": []})


def revoke(request):
    RefreshToken.objects.all().delete()
    AccessToken.objects.all().delete()
    return JsonResponse({})


urlpatterns = [
    path("o/", include("oauth2_provider.urls", namespace="oauth2_provider")),
    path("orders", orders),
    path("_test/revoke", revoke),
]

call_command("migrate", verbosity=0)
user = User.objects.create_user("erika")
Application.objects.create(
    client_id=config["client_id"], client_secret=config["client_secret"], user=user, name="erp",
    client_type=Application.CLIENT_CONFIDENTIAL, authorization_grant_type=Application.GRANT_AUTHORIZATION_CODE,
    redirect_uris=config["redirect_uri"] + " http://127.0.0.1/callback", skip_authorization=True, algorithm=Application.RS256_ALGORITHM,
)


class Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class Handler(WSGIRequestHandler):
    def log_message(self, *args):
        pass


http = make_server("127.0.0.1", 0, get_wsgi_application(), Server, Handler)
origin = f"http://127.0.0.1:{http.server_port}"
print(json.dumps({
    "issuer": origin + "/o", "authorization_endpoint": origin + "/o/authorize/", "token_endpoint": origin + "/o/token/",
    "api": origin, "origin": origin,
}), flush=True)
http.serve_forever()
