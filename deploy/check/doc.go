// Package check holds what is deployed against what it is deployed for: the Helm chart, the alerts and the dashboards. It is tests alone, in a module of its own, because only it needs Helm,
// Kubernetes' schemas and Prometheus. What it knows of the programs it reads in the documents that are tested against them: the table of settings, docs/metrics.md, docs/operations.md.
package check
