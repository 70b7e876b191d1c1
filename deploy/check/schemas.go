// Nothing is built of these: they hold the modules in go.mod whose schemas the tests read, each by its smallest package.

//go:build schemas

package check

import (
	_ "github.com/external-secrets/external-secrets/cmd/esoctl/generator"
	_ "github.com/kedacore/keda/v2/version"
	_ "github.com/prometheus-operator/prometheus-operator/pkg/versionutil"
	_ "sigs.k8s.io/gateway-api/apis/v1"
	_ "sigs.k8s.io/kubectl-validate/pkg/openapiclient/groupversion"
)
