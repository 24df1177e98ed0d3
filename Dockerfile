# syntax=docker/dockerfile:1

# Two images come out of this file. The last, so the default, is for production:
# it is built with the tag `production`, which leaves out `dev` and the Cognito
# emulator, so nothing in it can play a user pool. `--target dev` has everything.
# Both hold one static binary, the CA certificates, and no shell.

#
# An image says what it is made of where the build is told:
#
#   docker build --build-arg VERSION=v1.2.3 --build-arg COMMIT=$(git rev-parse HEAD) .

ARG GO_VERSION=1.27.4
ARG VERSION=dev
ARG COMMIT=unknown

FROM --platform=$BUILDPLATFORM golang:${GO_VERSION}-alpine AS source
WORKDIR /src
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download
COPY . .
# An empty directory that belongs to the unprivileged user: a named volume
# mounted there takes over its owner. There is no shell later to change it.
RUN mkdir -p /data && chown 65532:65532 /data
ARG TARGETOS TARGETARCH VERSION COMMIT
ENV GOCACHE=/cache/go-build CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH GOTOOLCHAIN=local \
    LDFLAGS="-s -w -X github.com/gatehouse-auth/gatehouse/internal/command.version=${VERSION} -X github.com/gatehouse-auth/gatehouse/internal/command.commit=${COMMIT}"

FROM source AS build-dev
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/cache/go-build \
    go build -trimpath -ldflags "$LDFLAGS" -o /gateway ./cmd/gateway

FROM source AS build
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/cache/go-build \
    go build -trimpath -tags production -ldflags "$LDFLAGS" -o /gateway ./cmd/gateway

FROM scratch AS base
ARG VERSION COMMIT
LABEL org.opencontainers.image.title="Gatehouse" \
      org.opencontainers.image.description="Backend-for-frontend auth gateway for Amazon Cognito" \
      org.opencontainers.image.source="https://github.com/gatehouse-auth/gatehouse" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${COMMIT}"
COPY --from=source /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=source --chown=65532:65532 /data /var/lib/gatehouse
USER 65532:65532
ENTRYPOINT ["/gateway"]

FROM base AS dev
COPY --from=build-dev /gateway /gateway
CMD ["--help"]

FROM base AS production
COPY --from=build /gateway /gateway
EXPOSE 8080
# The binary asks its own admin listener; there is nothing else in here to do it.
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s --retries=3 \
    CMD ["/gateway", "health", "--url", "http://127.0.0.1:9090/healthz"]
# Everything may come from GATEHOUSE_* variables; to use a file, mount it and run
# `serve --config /etc/gatehouse/gatehouse.yaml`.
CMD ["serve"]
