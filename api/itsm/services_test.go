package itsm_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"signalbox/flow"
)

func TestServicesAreDiscovered(t *testing.T) {
	b := setup(t)
	def := review
	def.Name, def.Description = "变更评审", "两级"
	published, err := b.back.PublishService(t.Context(), "north", "writer", def)
	require.NoError(t, err)
	id := published.Number
	get := func(path string, data any) {
		t.Helper()
		b.done(b.Do("GET", gateway+path, nil), data)
	}
	var list []struct {
		ID   int64
		Name string
		Type string `json:"service_type"`
	}
	get("get_services/", &list)
	require.Len(t, list, 3)
	get("get_services/?service_type=change&display_type=API&display_role=BK_IAM", &list)
	require.Equal(t, id, list[0].ID)
	require.Len(t, list, 1)
	get("get_services/?catalog_id=3", &list)
	require.Len(t, list, 1)
	require.NoError(t, b.back.EnableService(t.Context(), "north", "review", false))
	get("get_services/?catalog_id=3", &list)
	require.Empty(t, list)
	b.refused(b.call("create_ticket", members{"service_id": id, "creator": "wang", "fields": form("title", "x", "level", "h")}), 200, "3900003", "服务未启用")
	require.NoError(t, b.back.EnableService(t.Context(), "north", "review", true))

	var detail struct {
		ID         int64 `json:"service_id"`
		WorkflowID int64 `json:"workflow_id"`
		Fields     []struct {
			Key, Type    string
			ValidateType string `json:"validate_type"`
			Choice       []struct{ Key, Name string }
		}
	}
	get(fmt.Sprintf("get_service_detail/?service_id=%d", id), &detail)
	require.Equal(t, []string{"title", "level", "count"}, []string{detail.Fields[0].Key, detail.Fields[1].Key, detail.Fields[2].Key})
	require.Equal(t, []string{"SELECT", "REQUIRE", "高"}, []string{detail.Fields[1].Type, detail.Fields[1].ValidateType, detail.Fields[1].Choice[0].Name})

	var roles []struct {
		ID         int64
		Name       string
		Kind       string `json:"processors_type"`
		Processors string
		Sign       string `json:"sign_type"`
	}
	get(fmt.Sprintf("get_service_roles/?service_id=%d", id), &roles)
	require.Len(t, roles, 2)
	require.Equal(t, []string{"PERSON", "alice,bob", "and", "or"}, []string{roles[0].Kind, roles[0].Processors, roles[0].Sign, roles[1].Sign})
	get(fmt.Sprintf("get_service_roles/?service_id=%d&all=1", id), &roles)
	require.Equal(t, "提单", roles[0].Name)
	// The documented way: the node's id by its name, then who is asked there.
	var created struct{ SN string }
	b.back.Reads.Store(0)
	b.done(b.call("create_ticket", members{"service_id": fmt.Sprint(id), "creator": "wang", "fields": form("title", "x", "level", "l"),
		"meta": members{"state_processors": members{fmt.Sprint(roles[1].ID): "zhou"}}}), &created)
	require.EqualValues(t, 1, b.back.Reads.Load(), "the service is read once")
	require.Equal(t, "zhou", b.status(created.SN).Steps[0].Processors)
	get("get_service_roles/?service_id=2", &roles)
	require.Equal(t, []string{"VARIABLE", "APPROVER"}, []string{roles[0].Kind, roles[0].Processors})
	get("get_service_roles/?service_id=1&ticket_creator=wang", &roles)
	require.Equal(t, []string{"STARTER", "wang"}, []string{roles[2].Kind, roles[2].Processors})

	var flowed struct {
		Version string `json:"version_number"`
		States  []struct {
			ID     int64
			Type   string
			Fields []int64
		}
		Transitions []struct {
			From int64 `json:"from_state"`
			To   int64 `json:"to_state"`
		}
		Fields []struct{ ID int64 }
	}
	b.back.Reads.Store(0)
	get(fmt.Sprintf("get_workflow_detail/?workflow_id=%d", detail.WorkflowID), &flowed)
	require.EqualValues(t, 1, b.back.Reads.Load(), "the latest version is read once")
	require.Equal(t, "1", flowed.Version)
	kinds := []string{}
	known := map[int64]bool{}
	for _, s := range flowed.States {
		kinds = append(kinds, s.Type)
		known[s.ID] = true
	}
	require.Equal(t, []string{"NORMAL", "APPROVAL", "APPROVAL", "END"}, kinds)
	require.Len(t, flowed.Transitions, 3)
	for _, l := range flowed.Transitions {
		require.True(t, known[l.From] && known[l.To])
	}
	ids := map[int64]bool{}
	for _, f := range flowed.Fields {
		require.False(t, ids[f.ID], "integer ids of fields are their own")
		ids[f.ID] = true
	}

	// A new version leaves the old one as it was.
	def.Nodes = append([]flow.Node{}, def.Nodes...)
	def.Nodes[1].Name = "终审"
	_, err = b.back.PublishService(t.Context(), "north", "writer", def)
	require.NoError(t, err)
	get(fmt.Sprintf("get_service_detail/?service_id=%d", id), &detail)
	get(fmt.Sprintf("get_workflow_detail/?workflow_id=%d", detail.WorkflowID), &flowed)
	require.Equal(t, "2", flowed.Version)

	type shelf struct {
		ID       int64
		Key      string
		Children []struct{ Key string }
	}
	var shelves []shelf
	get("get_service_catalogs/", &shelves)
	require.Len(t, shelves[0].Children, 4)
	get("get_service_catalogs/?has_service=true", &shelves)
	require.Len(t, shelves[0].Children, 3)
	get("get_service_catalogs/?service_key=question", &shelves)
	require.Equal(t, "question", shelves[0].Children[0].Key)
	get("get_service_catalogs/?project_key=x", &shelves)
	require.Empty(t, shelves)

	for path, code := range map[string]string{
		"get_service_roles/?service_id=77": "3900042", "get_service_detail/?service_id=77": "3900404", "get_workflow_detail/?workflow_id=77": "3900404",
		fmt.Sprintf("get_workflow_detail/?workflow_id=%d", id*100_000+9): "3900404",
	} {
		b.refused(b.Do("GET", gateway+path, nil), 200, code, "不存在")
	}
	stranger := *b
	stranger.Client = b.As("stranger-secret")
	b.refused(stranger.Do("GET", gateway+fmt.Sprintf("get_service_detail/?service_id=%d", id), nil), 200, "3900404", "不存在")
}
