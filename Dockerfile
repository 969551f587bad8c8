# What `docker build .` needs; `make image` makes the same of a binary that is there.

# Where Docker Hub is not reached, any image with a Go toolchain will do:
#   --build-arg BUILDER=registry.example.com/golang:1.26-alpine
ARG BUILDER=docker.io/library/golang:1.26-alpine

FROM --platform=$BUILDPLATFORM ${BUILDER} AS build
ARG TARGETOS
ARG TARGETARCH
ARG VERSION=dev
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH go build \
	-trimpath \
	-tags nobadger,nomysql,nopgx \
	-ldflags "-s -w -X github.com/caddyserver/caddy/v2.CustomBinaryName=lamplighter -X github.com/caddyserver/caddy/v2.CustomVersion=$VERSION" \
	-o /image/usr/bin/lamplighter ./cmd/lamplighter
# The files of the image: root's, and those of the user it runs as. Records
# hold refresh tokens, so nobody else may even list them. The symlink is for
# scripts that expect Caddy's own name.
RUN ln -s lamplighter /image/usr/bin/caddy \
	&& mkdir -p /image/etc/caddy /owned/data/config \
	&& chmod 0700 /owned/data /owned/data/config

FROM scratch
ARG VERSION=dev
LABEL org.opencontainers.image.title="Lamplighter" \
	org.opencontainers.image.description="A sidecar that gives applications OAuth 2.0 access tokens: Caddy with modules that keep them fresh" \
	org.opencontainers.image.version="$VERSION" \
	org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /image/ /
COPY --from=build --chown=65532:65532 /owned/ /

# All that is ever written, the autosaved configuration and the admin socket
# included, is below /data: the root may be read-only. Mount a volume there, or
# the living refresh token ends with the container.
ENV XDG_DATA_HOME=/data \
	XDG_CONFIG_HOME=/data/config \
	HOME=/data
USER 65532:65532
WORKDIR /data
HEALTHCHECK --interval=10s --timeout=5s --start-period=5s --retries=3 \
	CMD ["/usr/bin/lamplighter", "tokens", "health", "--live"]
ENTRYPOINT ["/usr/bin/lamplighter"]
CMD ["run", "--config", "/etc/caddy/Caddyfile", "--adapter", "caddyfile"]
