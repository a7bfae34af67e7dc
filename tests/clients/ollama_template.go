// Renders a template as Ollama does: Go's text/template, messages of one role that follow each other joined first.
// Reads {"template": …, "conversations": [[{"role": …, "content": …}, …], …]} on standard input and prints the texts
// as JSON. Ollama's own rules, read in its template/template.go on 2026-11-30.
package main

import (
	"encoding/json"
	"os"
	"strings"
	"text/template"
)

type message struct {
	Role    string `json:"role"`
	Content string `json:"content"`
}

func joined(messages []message) (string, []message) {
	var system []string
	var out []message
	for _, one := range messages {
		if one.Role == "system" {
			system = append(system, one.Content)
		}
		if last := len(out) - 1; last >= 0 && out[last].Role == one.Role && one.Role != "tool" {
			out[last].Content += "\n\n" + one.Content
			continue
		}
		out = append(out, one)
	}
	return strings.Join(system, "\n\n"), out
}

func main() {
	var asked struct {
		Template      string
		Conversations [][]message
	}
	if err := json.NewDecoder(os.Stdin).Decode(&asked); err != nil {
		panic(err)
	}
	parsed := template.Must(template.New("").Option("missingkey=zero").Parse(asked.Template))
	texts := []string{}
	for _, conversation := range asked.Conversations {
		system, messages := joined(conversation)
		var text strings.Builder
		values := map[string]any{"System": system, "Messages": messages, "Response": ""}
		if err := parsed.Execute(&text, values); err != nil {
			panic(err)
		}
		texts = append(texts, text.String())
	}
	if err := json.NewEncoder(os.Stdout).Encode(texts); err != nil {
		panic(err)
	}
}
