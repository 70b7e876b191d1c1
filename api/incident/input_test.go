package incident_test

import (
	"encoding/json"
	"maps"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"signalbox/api/apitest"
	"signalbox/api/parameter"
)

// solution and verdict are the parameters of the seed's examples; a test changes what it is about.
func solution(change map[string]any) map[string]any {
	return changed(map[string]any{"mtm_type": "inc_type_p_config_issues", "is_service_interrupt": true, "cause": "100001", "solution": "20001"}, change)
}

func verdict(change map[string]any) map[string]any {
	return changed(map[string]any{"virtual_confirm_result": true, "virtual_confirm_comment": "13"}, change)
}

func changed(of, change map[string]any) map[string]any {
	for name, value := range change {
		of[name] = value
		if value == absent {
			delete(of, name)
		}
	}
	return of
}

// absent removes a member, where nil writes null.
var absent = any("\x00absent")

func TestHandleWhenWrong(t *testing.T) {
	b := setup(t)
	number := b.create()
	body := func(change map[string]any) any {
		return changed(map[string]any{"incident_num": number, "operator": operator, "operate_key": "acceptedIncident1"}, change)
	}
	commit := func(change map[string]any) any {
		return body(map[string]any{"operate_key": "commitSolution1", "parameter": solution(change)})
	}
	confirm := func(change map[string]any) any {
		return body(map[string]any{"operate_key": "confirm", "parameter": verdict(change)})
	}
	long := strings.Repeat("长", 256)
	for name, c := range map[string]struct {
		body any
		says string
	}{
		"no incident_num":        {body(map[string]any{"incident_num": absent}), "incident_num: is required"},
		"incident_num null":      {body(map[string]any{"incident_num": nil}), "incident_num: is required"},
		"incident_num empty":     {body(map[string]any{"incident_num": ""}), "incident_num: is required"},
		"incident_num number":    {body(map[string]any{"incident_num": 7}), "incident_num: must be a string"},
		"incident_num long":      {body(map[string]any{"incident_num": long}), "incident_num: must have at most 255 characters"},
		"incident_num control":   {body(map[string]any{"incident_num": "IM\n1"}), "incident_num: must not contain control"},
		"no operator":            {body(map[string]any{"operator": absent}), "operator: is required"},
		"operator blank":         {body(map[string]any{"operator": "  "}), "operator: is required"},
		"operator long":          {body(map[string]any{"operator": long}), "operator: must have at most 255 characters"},
		"operator list":          {body(map[string]any{"operator": []string{"a"}}), "operator: must be a string"},
		"operator NUL":           {body(map[string]any{"operator": "a\x00"}), "operator: must not contain"},
		"no operate_key":         {body(map[string]any{"operate_key": absent}), "operate_key: is required"},
		"operate_key unknown":    {body(map[string]any{"operate_key": "acceptedIncident111"}), "参数错误: The field[operate_key] value[acceptedIncident111] invalid"},
		"operate_key newer":      {body(map[string]any{"operate_key": "incidentPause"}), "The field[operate_key] value[incidentPause] invalid"},
		"operate_key case":       {body(map[string]any{"operate_key": "CONFIRM"}), "The field[operate_key] value[CONFIRM] invalid"},
		"operate_key ours":       {body(map[string]any{"operate_key": "accept"}), "The field[operate_key] value[accept] invalid"},
		"operate_key long":       {body(map[string]any{"operate_key": long}), "The field[operate_key] value[" + strings.Repeat("长", 64) + "…] invalid"},
		"all at once":            {`{}`, "incident_num: is required and must not be empty; operator: is required and must not be empty; operate_key"},
		"name in other case":     {`{"Incident_Num":"` + number + `","operator":"a","operate_key":"confirm"}`, "incident_num: is required"},
		"parameter list":         {body(map[string]any{"parameter": []int{}}), "parameter: must be an object"},
		"parameter text":         {body(map[string]any{"parameter": "{}"}), "parameter: must be an object"},
		"commit alone":           {body(map[string]any{"operate_key": "commitSolution1"}), "is_service_interrupt: is required"},
		"commit with null":       {body(map[string]any{"operate_key": "commitSolution1", "parameter": nil}), "mtm_type: is required"},
		"no mtm_type":            {commit(map[string]any{"mtm_type": absent}), "mtm_type: is required"},
		"mtm_type unknown":       {commit(map[string]any{"mtm_type": "inc_type_nonsense"}), "mtm_type: is none of inc_type_p_config_issues"},
		"mtm_type number":        {commit(map[string]any{"mtm_type": 1}), "mtm_type: must be a string"},
		"no interrupt":           {commit(map[string]any{"is_service_interrupt": absent}), "is_service_interrupt: is required"},
		"interrupt null":         {commit(map[string]any{"is_service_interrupt": nil}), "is_service_interrupt"},
		"interrupt 1":            {commit(map[string]any{"is_service_interrupt": 1}), "is_service_interrupt: must be true or false"},
		"interrupt yes":          {commit(map[string]any{"is_service_interrupt": "yes"}), "is_service_interrupt: must be true or false"},
		"interrupt empty":        {commit(map[string]any{"is_service_interrupt": ""}), "is_service_interrupt: must be true or false"},
		"no cause":               {commit(map[string]any{"cause": absent}), "cause: is required"},
		"cause empty":            {commit(map[string]any{"cause": ""}), "cause: is required"},
		"cause object":           {commit(map[string]any{"cause": map[string]any{}}), "cause: must be a string"},
		"cause long":             {commit(map[string]any{"cause": strings.Repeat("因", 10_001)}), "cause: must have at most 10000 characters"},
		"no solution":            {commit(map[string]any{"solution": absent}), "solution: is required"},
		"solution long":          {commit(map[string]any{"solution": strings.Repeat("解", 10_001)}), "solution: must have at most 10000 characters"},
		"confirm alone":          {body(map[string]any{"operate_key": "confirm"}), "virtual_confirm_result: is required"},
		"no result":              {confirm(map[string]any{"virtual_confirm_result": absent}), "virtual_confirm_result: is required"},
		"result null":            {confirm(map[string]any{"virtual_confirm_result": nil}), "virtual_confirm_result"},
		"result text":            {confirm(map[string]any{"virtual_confirm_result": "TRUE"}), "virtual_confirm_result: must be true or false"},
		"no comment":             {confirm(map[string]any{"virtual_confirm_comment": absent}), "virtual_confirm_comment: is required"},
		"comment long":           {confirm(map[string]any{"virtual_confirm_comment": strings.Repeat("评", 301)}), "virtual_confirm_comment: must have at most 300 characters"},
		"body empty":             {"", "参数错误"},
		"body list":              {"[]", "参数错误: body: must be an object"},
		"body text":              {`"accept"`, "参数错误: body: must be an object"},
		"body cut off":           {`{"incident_num":"IM`, "参数错误: body: is not well-formed JSON"},
		"body twice":             {`{} {}`, "参数错误: body: is not well-formed JSON"},
		"body not UTF-8":         {"{\"incident_num\":\"\xff\"}", "参数错误: body: must be valid UTF-8"},
		"body a lone surrogate":  {`{"incident_num":"\ud800"}`, "参数错误: body: is not well-formed JSON"},
		"body nested very deep":  {strings.Repeat(`{"parameter":`, 20_000), "参数错误: body: is not well-formed JSON"},
		"parameter in a bad way": {`{"incident_num":"a","operator":"b","operate_key":"confirm","parameter":{"virtual_confirm_result":tru}}`, "参数错误: body: is not well-formed JSON"},
	} {
		t.Run(name, func(t *testing.T) {
			b := b.on(t)
			b.refused(b.Do("POST", handlePath, c.body), 400, "GOM.00007256", "参数错误")
			b.refused(b.Do("POST", handlePath, c.body), 400, "GOM.00007256", c.says)
		})
	}
	b.refused(b.Do("POST", handlePath, `{"incident_num":"`+strings.Repeat("a", 1<<20)+`"}`), 413, "APIGW.0201", "too large")
	require.Equal(t, "INCIDENT_STATUS_TRIGGERED", b.status(number), "nothing that was refused did anything")
}

func TestLimitsCountCharacters(t *testing.T) {
	b := setup(t)
	number := b.create()
	do := func(key string, parameter any) {
		t.Helper()
		answer := b.Do("POST", handlePath, map[string]any{"incident_num": number, "operator": strings.Repeat("人", 255), "operate_key": key, "parameter": parameter})
		require.Equal(t, b.compact("done.json"), string(answer.Body))
	}
	do("acceptedIncident1", nil)
	do("commitSolution1", solution(map[string]any{"cause": strings.Repeat("因", 10_000), "solution": strings.Repeat("解", 10_000), "is_service_interrupt": "false"}))
	do("confirm", verdict(map[string]any{"virtual_confirm_comment": strings.Repeat("评", 300)}))
	require.Equal(t, "INCIDENT_STATUS_COMPLETED", b.status(number))
}

func TestCreateWhenWrong(t *testing.T) {
	b := setup(t)
	for name, c := range map[string]struct {
		change map[string]any
		says   string
	}{
		"no level":             {map[string]any{"incident_level": absent}, "incident_level: is required"},
		"level unknown":        {map[string]any{"incident_level": "level_60"}, "The field[incident_level] value[level_60] invalid"},
		"no interrupt":         {map[string]any{"is_service_interrupt": absent}, "is_service_interrupt: is required"},
		"interrupt unknown":    {map[string]any{"is_service_interrupt": "maybe"}, "is_service_interrupt: must be true or false"},
		"no type":              {map[string]any{"incident_type": nil}, "incident_type: is required"},
		"type unknown":         {map[string]any{"incident_type": "inc_type_nonsense"}, "The field[incident_type] value[inc_type_nonsense] invalid"},
		"no title":             {map[string]any{"incident_title": absent}, "incident_title: is required"},
		"title empty":          {map[string]any{"incident_title": ""}, "incident_title: is required"},
		"title long":           {map[string]any{"incident_title": strings.Repeat("题", 201)}, "incident_title: must have at most 200 characters"},
		"title control":        {map[string]any{"incident_title": "a\tb"}, "incident_title: must not contain control"},
		"description long":     {map[string]any{"incident_description": strings.Repeat("述", 601)}, "incident_description: must have at most 600 characters"},
		"description number":   {map[string]any{"incident_description": 1}, "incident_description: must be a string"},
		"no source":            {map[string]any{"incident_source": absent}, "incident_source: is required"},
		"source unknown":       {map[string]any{"incident_source": "incident_source_x"}, "The field[incident_source] value[incident_source_x] invalid"},
		"no creator":           {map[string]any{"creator": absent}, "creator: is required"},
		"creator long":         {map[string]any{"creator": strings.Repeat("人", 256)}, "creator: must have at most 255"},
		"two regions":          {map[string]any{"region": []string{"a", "b"}}, "region: must have at most 1 item"},
		"region no list":       {map[string]any{"region": "a"}, "region: must be an array"},
		"region null inside":   {map[string]any{"region": []any{nil}}, "region[0]"},
		"region number":        {map[string]any{"region": []any{1}}, "region[0]: must be a string"},
		"two projects":         {map[string]any{"enterprise_project": []string{"a", "b"}}, "enterprise_project: must have at most 1 item"},
		"two services":         {map[string]any{"current_cloud_service": []string{"a", "b"}}, "current_cloud_service: must have at most 1 item"},
		"two assignees":        {map[string]any{"incident_assignee": []string{"a", "b"}}, "incident_assignee: must have at most 1 item"},
		"empty assignee":       {map[string]any{"incident_assignee": []string{""}}, "incident_assignee[0]: is required"},
		"no assignee":          {map[string]any{"incident_assignee": absent}, "incident_assignee: is required, or assignee_scene and assignee_role together"},
		"assignees empty":      {map[string]any{"incident_assignee": []string{}}, "incident_assignee: is required"},
		"scene alone":          {map[string]any{"incident_assignee": absent, "assignee_scene": "a"}, "incident_assignee: is required"},
		"role alone":           {map[string]any{"incident_assignee": absent, "assignee_role": "a"}, "incident_assignee: is required"},
		"scene long":           {map[string]any{"assignee_scene": strings.Repeat("景", 256)}, "assignee_scene: must have at most 255"},
		"role long":            {map[string]any{"assignee_role": strings.Repeat("角", 256)}, "assignee_role: must have at most 255"},
		"ownership long":       {map[string]any{"incident_ownership": strings.Repeat("归", 256)}, "incident_ownership: must have at most 255"},
		"start_time text":      {map[string]any{"start_time": "1711091706017"}, "start_time: must be a whole number"},
		"start_time fraction":  {map[string]any{"start_time": 1.5}, "start_time: must be a whole number"},
		"start_time negative":  {map[string]any{"start_time": -1}, "start_time: must be milliseconds"},
		"start_time too large": {map[string]any{"start_time": json.RawMessage("253402300800000")}, "start_time: must be milliseconds"},
		"start_time immense":   {map[string]any{"start_time": json.RawMessage("1e99")}, "start_time: must be a whole number"},
		"several faults":       {map[string]any{"incident_level": "x", "creator": "", "incident_title": ""}, "value[x] invalid; incident_title: is required and must not be empty; creator"},
	} {
		t.Run(name, func(t *testing.T) {
			b := b.on(t)
			b.refused(b.Do("POST", createPath, changed(creation(nil), c.change)), 400, "GOM.00007256", "参数错误: ")
			b.refused(b.Do("POST", createPath, changed(creation(nil), c.change)), 400, "GOM.00007256", c.says)
		})
	}
	b.refused(b.Do("POST", createPath, "[]"), 400, "GOM.00007256", "body: must be an object")
}

func TestCreateWithLittle(t *testing.T) {
	b := setup(t)
	for name, change := range map[string]map[string]any{
		"scene and role":  {"incident_assignee": absent, "assignee_scene": "oncall", "assignee_role": "dba"},
		"nulls":           {"region": nil, "enterprise_project": nil, "current_cloud_service": nil, "incident_description": nil, "incident_ownership": nil, "start_time": nil},
		"empty lists":     {"region": []string{}, "enterprise_project": []string{}, "current_cloud_service": []string{}, "assignee_scene": "", "assignee_role": ""},
		"a true boolean":  {"is_service_interrupt": true},
		"longest":         {"incident_title": strings.Repeat("题", 200), "incident_description": strings.Repeat("述", 600), "creator": strings.Repeat("人", 255)},
		"unknown members": {"more": map[string]any{"a": 1}},
	} {
		t.Run(name, func(t *testing.T) {
			b := b.on(t)
			var made struct {
				Number string `json:"incident_num"`
			}
			b.data(b.Do("POST", createPath, changed(creation(nil), change)), &made)
			v := b.read(made.Number)
			for field, value := range change {
				switch value {
				case "oncall", "dba", true:
					require.Equal(t, value, v[field])
				}
			}
			require.NotContains(t, v, "more")
			b.did("accept.json", made.Number)
		})
	}
}

func TestHistoriesWhenWrong(t *testing.T) {
	b := setup(t)
	number := b.create()
	filter := func(change map[string]any) map[string]any {
		return changed(map[string]any{"operator": "=", "field": "ticket_id", "values": []any{number}}, change)
	}
	only := func(filters ...any) map[string]any { return map[string]any{"string_filters": filters} }
	for name, c := range map[string]struct {
		body any
		says string
	}{
		"nothing":          {`{}`, "string_filters: is required"},
		"no filter":        {only(), "string_filters: is required"},
		"filter no object": {only("ticket_id"), "string_filters[0]: must be an object"},
		"two filters":      {only(filter(nil), filter(nil)), "string_filters[1]: is one too many"},
		"other field":      {only(filter(map[string]any{"field": "operator"})), "string_filters[0].field: must be ticket_id"},
		"other operator":   {only(filter(map[string]any{"operator": "like"})), "string_filters[0].operator"},
		"no values":        {only(filter(map[string]any{"values": absent})), "string_filters[0].values"},
		"two values":       {only(filter(map[string]any{"values": []string{"a", "b"}})), "string_filters[0].values: must have exactly 1 item"},
		"empty value":      {only(filter(map[string]any{"values": []string{""}})), "string_filters[0].values[0]: is required"},
		"value a number":   {only(filter(map[string]any{"values": []any{1}})), "string_filters[0].values[0]: must be a string"},
		"sorted sideways":  {changed(only(filter(nil)), map[string]any{"sort_filter": map[string]any{"operator": "up", "field": "start_time"}}), "sort_filter.operator"},
		"sorted by other":  {changed(only(filter(nil)), map[string]any{"sort_filter": map[string]any{"operator": "asc", "field": "status"}}), "sort_filter.field"},
		"page 0":           {changed(only(filter(nil)), map[string]any{"page": 0}), "page: must be between 1 and 1000000"},
		"page text":        {changed(only(filter(nil)), map[string]any{"page": "1"}), "page: must be a whole number"},
		"page immense":     {changed(only(filter(nil)), map[string]any{"page": json.RawMessage("9223372036854775807")}), "page: must be between"},
		"per_page 201":     {changed(only(filter(nil)), map[string]any{"per_page": 201}), "per_page: must be between 1 and 200"},
		"per_page below":   {changed(only(filter(nil)), map[string]any{"per_page": -1}), "per_page: must be between 1 and 200"},
		"no body":          {nil, "参数错误"},
	} {
		t.Run(name, func(t *testing.T) {
			b := b.on(t)
			for _, path := range []string{"/v1/external/incident/list-histories", "/v1/issues_mgmt/list-histories"} {
				b.refused(b.Do("POST", path, c.body), 400, "GOM.00007256", c.says)
			}
		})
	}
	for _, path := range []string{"/v1/external/change/list-histories", "/v1/change/list-histories", "/v1/Incident/list-histories", "/v1/external/list-histories"} {
		kind := strings.Split(strings.TrimPrefix(path, "/v1/"), "/")
		b.refused(b.Do("POST", path, only(filter(nil))), 400, "GOM.00007256", "The field[ticket_type] value["+kind[len(kind)-2]+"] invalid")
	}
	b.refused(b.search("IM1", nil), 400, "COC.00067003", "there is no such ticket")
	b.refused(b.Do("GET", "/v1/external/incident/%ff", nil), 400, "GOM.00007256", "incident_num")
	b.refused(b.Do("GET", "/v1/external/incident/"+strings.Repeat("a", 256), nil), 400, "GOM.00007256", "incident_num")
	b.refused(b.Do("GET", "/v1/external/incident/a%0ab", nil), 400, "GOM.00007256", "incident_num")
}

// TestTimesOfASolutionAreKept: what the original's clients say of an interruption beside what seed 001 names is shown with the incident, in the
// timeline, and by the house API.
func TestTimesOfASolutionAreKept(t *testing.T) {
	b := setup(t)
	handle := func(body object) apitest.Answer { return b.Do("POST", handlePath, body) }
	for i, said := range []string{`1711091706017`, `"1711091706017"`} {
		number := b.create()
		done(t, handle(object{"incident_num": number, "operator": "li", "operate_key": "acceptedIncident1"}))
		done(t, handle(object{"incident_num": number, "operator": "li", "operate_key": "commitSolution1", "parameter": object{
			"mtm_type": "inc_type_p_config_issues", "is_service_interrupt": true, "cause": "a", "solution": "b",
			"start_time": json.RawMessage(said), "fault_recovery_time": 1711099999000 + int64(i)}}))
		var shown struct {
			Data struct {
				Start    int64 `json:"start_time"`
				Recovery int64 `json:"fault_recovery_time"`
			}
		}
		b.Do("GET", "/v1/external/incident/"+number, nil).Into(200, &shown)
		require.Equal(t, []int64{1711091706017, 1711099999000 + int64(i)}, []int64{shown.Data.Start, shown.Data.Recovery})
	}
	number := b.create()
	done(t, handle(object{"incident_num": number, "operator": "li", "operate_key": "acceptedIncident1"}))
	for name, bad := range map[string]any{"start_time": -1, "fault_recovery_time": int64(253_402_300_800_000)} {
		parameter := object{"mtm_type": "inc_type_p_config_issues", "is_service_interrupt": true, "cause": "a", "solution": "b", name: bad}
		b.refused(handle(object{"incident_num": number, "operator": "li", "operate_key": "commitSolution1", "parameter": parameter}), 400, "GOM.00007256", name)
		parameter[name] = "soon"
		b.refused(handle(object{"incident_num": number, "operator": "li", "operate_key": "commitSolution1", "parameter": parameter}), 400, "GOM.00007256", name)
	}
}

// TestAMemberAtTheWrongLevelIsNamed: it would be lost. What nobody knows is passed over, wherever it stands.
func TestAMemberAtTheWrongLevelIsNamed(t *testing.T) {
	b := setup(t)
	handle := func(body object) apitest.Answer { return b.Do("POST", handlePath, body) }
	number := b.create()
	accept := func(outer, inner object) apitest.Answer {
		body := object{"incident_num": number, "operator": "li", "operate_key": "acceptedIncident1", "parameter": inner}
		maps.Copy(body, outer)
		return handle(body)
	}
	for _, name := range parameter.Members {
		b.refused(accept(object{name: "x"}, nil), 400, "GOM.00007256", name+": belongs into parameter")
	}
	for _, name := range []string{"incident_num", "operator", "operate_key"} {
		b.refused(accept(nil, object{name: "x"}), 400, "GOM.00007256", "parameter."+name+": belongs beside parameter")
	}
	done(t, accept(object{"more": 1, "cause": nil}, object{"more": 1, "operator": nil}))
}

type object = map[string]any

func done(t *testing.T, a apitest.Answer) {
	t.Helper()
	require.Equal(t, 200, a.Status, string(a.Body))
}
