//go:build generated

// Package clients pins the generators of clients that the documents are held to, what their clients import, and the vendor's own SDK for the incident
// family: a module of its own, so that neither the product nor cmd/dev gets any of it. TestGeneratedClients of cmd/dev/e2e generates from every document
// into a folder of its own, compiles what came out with the programs in testdata, and runs them against the system.
package clients

import (
	_ "github.com/go-faster/errors"
	_ "github.com/go-faster/jx"
	_ "github.com/google/uuid"
	_ "github.com/huaweicloud/huaweicloud-sdk-go-v3/core/auth/basic"
	_ "github.com/huaweicloud/huaweicloud-sdk-go-v3/core/sdkerr"
	_ "github.com/huaweicloud/huaweicloud-sdk-go-v3/services/coc/v1"
	_ "github.com/huaweicloud/huaweicloud-sdk-go-v3/services/coc/v1/model"
	_ "github.com/oapi-codegen/runtime"
	_ "github.com/oapi-codegen/runtime/types"
	_ "github.com/ogen-go/ogen/conv"
	_ "github.com/ogen-go/ogen/http"
	_ "github.com/ogen-go/ogen/json"
	_ "github.com/ogen-go/ogen/middleware"
	_ "github.com/ogen-go/ogen/ogenerrors"
	_ "github.com/ogen-go/ogen/ogenregex"
	_ "github.com/ogen-go/ogen/otelogen"
	_ "github.com/ogen-go/ogen/uri"
	_ "github.com/ogen-go/ogen/validate"
	_ "go.opentelemetry.io/otel"
	_ "go.opentelemetry.io/otel/attribute"
	_ "go.opentelemetry.io/otel/codes"
	_ "go.opentelemetry.io/otel/metric"
	_ "go.opentelemetry.io/otel/semconv/v1.39.0"
	_ "go.opentelemetry.io/otel/trace"
	_ "go.yaml.in/yaml/v3"
)
