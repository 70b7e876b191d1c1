// Command generate writes the generated part of package client: a package for each document that Go programs call by. It is run from the root of the
// repository ("make generate"); the generator is the one that cmd/dev/clients pins. With -check it writes nothing, and fails where what is there is
// not what would be written.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"signalbox/api/openapi"
)

// documents are those that get a package. Which do not, and why, is in docs/decisions/0049.
var documents = []string{"audit", "calendar", "directory", "exception", "issue", "publish", "service", "subscription"}

// generator is a tool of the module in cmd/dev/clients.
const generator = "github.com/oapi-codegen/oapi-codegen/v2/cmd/oapi-codegen"

func main() {
	check := flag.Bool("check", false, "only tell what differs, and fail where something does")
	flag.Parse()
	if err := run(*check); err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}

func run(check bool) error {
	work, err := os.MkdirTemp("", "signalbox-generate-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(work) }()
	var differ []string
	for _, d := range openapi.Documents() {
		if !slices.Contains(documents, d.Name) {
			continue
		}
		made, err := generate(work, d)
		if err != nil {
			return fmt.Errorf("%s: %w", d.Name, err)
		}
		file := filepath.Join("client", d.Name, d.Name+".gen.go")
		there, err := os.ReadFile(file)
		switch {
		case err == nil && bytes.Equal(there, made):
		case check:
			differ = append(differ, file)
		default:
			if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
				return err
			}
			if err := os.WriteFile(file, made, 0o644); err != nil {
				return err
			}
			fmt.Println("wrote", file)
		}
	}
	if len(differ) > 0 {
		return fmt.Errorf("not what the documents say, run make generate: %s", strings.Join(differ, ", "))
	}
	return nil
}

// generate gives the package of one document, as the system serves it.
func generate(work string, d openapi.Document) ([]byte, error) {
	text, err := succeeding(d.YAML)
	if err != nil {
		return nil, err
	}
	document, config, out := filepath.Join(work, d.Name+".yaml"), filepath.Join(work, d.Name+".config.yaml"), filepath.Join(work, d.Name+".go")
	if err := os.WriteFile(document, text, 0o600); err != nil {
		return nil, err
	}
	if err := os.WriteFile(config, []byte(fmt.Sprintf(configuration, d.Name, out)), 0o600); err != nil {
		return nil, err
	}
	command := exec.Command("go", "tool", generator, "-config", config, document)
	command.Dir = filepath.Join("cmd", "dev", "clients")
	if said, err := command.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%w\n%s", err, said)
	}
	return os.ReadFile(out)
}

// configuration is oapi-codegen's. Ids are texts, so that no caller needs a library to write one.
const configuration = `package: %s
output: %s
generate: {models: true, client: true}
output-options:
  skip-response-body-getters: true
  skip-client-response-content-type: true
  type-mapping:
    string:
      formats:
        uuid: {type: string}
`

// succeeding leaves out of a document what is answered when a request is refused: package client makes errors of that, of one type for all documents. Nor is there YAML among the
// answers, for which every caller would link a library: who asks for it reads it as it came.
func succeeding(text []byte) ([]byte, error) {
	var document yaml.Node
	if err := yaml.Unmarshal(text, &document); err != nil {
		return nil, err
	}
	succeed(&document)
	return yaml.Marshal(&document)
}

func succeed(n *yaml.Node) {
	for i := 0; n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value != "responses" || n.Content[i+1].Kind != yaml.MappingNode {
			continue
		}
		responses := n.Content[i+1]
		var kept []*yaml.Node
		for j := 0; j+1 < len(responses.Content); j += 2 {
			if status := responses.Content[j].Value; status != "default" && !strings.HasPrefix(status, "4") && !strings.HasPrefix(status, "5") {
				kept = append(kept, responses.Content[j], responses.Content[j+1])
				leaveOutYAML(responses.Content[j+1])
			}
		}
		responses.Content = kept
	}
	for _, under := range n.Content {
		succeed(under)
	}
}

// leaveOutYAML takes YAML out of what a response may be.
func leaveOutYAML(response *yaml.Node) {
	for i := 0; response.Kind == yaml.MappingNode && i+1 < len(response.Content); i += 2 {
		if response.Content[i].Value != "content" {
			continue
		}
		kinds := response.Content[i+1]
		for j := 0; j+1 < len(kinds.Content); j += 2 {
			if kinds.Content[j].Value == "application/yaml" {
				kinds.Content = append(kinds.Content[:j:j], kinds.Content[j+2:]...)
				break
			}
		}
	}
}
