package versions

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"signalbox/api/houseapi"
	"signalbox/console/page"
	"signalbox/flow"
	"signalbox/ticket"
)

// Edit is what was written in the editor.
type Edit struct {
	Key    string // of the document; empty: it is a new one
	Based  int    // the version that the text began as
	Source string
}

// editView is the editor: what was written, and what was found in it.
type editView struct {
	Edit
	Words
	Path, Back, Lists string // addresses: of the form, of the page that one comes from, of the list
	Draft             string // where what is found in the text is asked for while it is written
	Problem           string
	Newer             string // where to see what was published meanwhile
	Found             foundView
}

// foundView is what is found in a draft.
type foundView struct {
	Faults []page.FaultLine
	Preview
}

// Editing reads what a form of the editor says.
func Editing(v *page.Visit) Edit {
	e := Edit{Key: v.Form.Get("of"), Source: v.Form.Source("source")}
	e.Based, _ = strconv.Atoi(v.Form.Get("based")) // of a form of ours it is a number
	return e
}

// begin shows the editor for a new document: the skeleton, or one that begins as another one is.
func (k Kind[R]) begin(v *page.Visit) error {
	e := Edit{Source: k.Skeleton}
	from, err := v.Ask("from", ticket.MaxName)
	if err != nil {
		return err
	}
	if from != "" {
		latest, err := k.Latest(v.Until, v.Who.App.Tenant, from)
		if err != nil {
			return err
		}
		if e.Source, err = k.written(v, latest); err != nil {
			return err
		}
	}
	return k.Editor(v, http.StatusOK, e, "")
}

// edit shows the editor of a document, which begins as its latest version is, or as another one that is asked for.
func (k Kind[R]) edit(v *page.Visit, f Found[R]) error {
	latest := k.Facts(f.Latest)
	version, err := v.AskNumber("version", int64(latest.Version))
	if err != nil {
		return err
	}
	r, err := k.at(v, f.Latest, version)
	if err != nil {
		return err
	}
	source, err := k.written(v, r)
	if err != nil {
		return err
	}
	return k.Editor(v, http.StatusOK, Edit{Key: latest.Key, Based: latest.Version, Source: source}, "")
}

// Editor shows the editor with what is found in its text, and a problem where there is one.
func (k Kind[R]) Editor(v *page.Visit, status int, e Edit, problem string) error {
	_, found, err := k.read(v, e)
	if err != nil {
		return err
	}
	return k.render(v, status, editView{Edit: e, Problem: problem, Found: found})
}

func (k Kind[R]) render(v *page.Visit, status int, w editView) error {
	w.Words, w.Lists, w.Draft = k.Words(v), k.Path, k.New+"/draft"
	title := w.Words.New
	if w.Path, w.Back = k.New, k.Path; w.Key != "" {
		w.Path, w.Back, title = k.PathOf(w.Key)+"/edit", k.PathOf(w.Key), v.T("versions.editing", "Key", w.Key)
	}
	return v.Render(status, "versions/edit", title, w)
}

// draft tells what is wrong with a text, and what it would be: the part of the editor that follows the text.
func (k Kind[R]) draft(v *page.Visit) error {
	v.Tries()
	_, found, err := k.read(v, Editing(v))
	if err != nil {
		return err
	}
	return v.Render(http.StatusOK, "versions/draft", v.T("versions.found"), found)
}

// read reads what was written.
func (k Kind[R]) read(v *page.Visit, e Edit) (r R, found foundView, err error) {
	var faults flow.Faults
	if len(e.Source) > k.Max {
		faults = flow.Faults{{Message: ticket.Over(k.Max, "bytes", len(e.Source))}}
	} else if r, faults, found.Preview, err = k.Read(v, e.Source); err != nil {
		return r, found, err
	} else if len(faults) == 0 {
		faults = page.Kept(e.Source, e.Key, k.Facts(r).Key, v.T("versions.other_key", "Key", e.Key))
	}
	found.Faults = v.FaultLines(e.Source, faults)
	return r, found, nil
}

// published is what publishing came to.
type published struct {
	Key     string `json:"key"`
	Version int    `json:"version"`
}

// save checks what the editor sends and, where that is asked for, publishes it.
func (k Kind[R]) save(v *page.Visit) error {
	key, err := v.Param("key")
	if err != nil {
		return err
	}
	e := Editing(v)
	e.Key = key
	what := v.Form.Get("do")
	if k.Besides != nil {
		if done, err := k.Besides(v, what, e); done || err != nil {
			return err
		}
	}
	if what != "publish" {
		v.Tries()
	}
	r, found, err := k.read(v, e)
	w := editView{Edit: e, Found: found}
	switch {
	case err != nil:
		return err
	case what != "publish":
		return k.render(v, http.StatusOK, w)
	case len(found.Faults) > 0:
		w.Problem = v.T("versions.faulty")
		return k.render(v, http.StatusBadRequest, w)
	}
	done, err := page.Transact(v, k.Desk, false, func(ctx context.Context) (published, error) {
		key, version, err := k.Publish(ctx, v.Who.App.Tenant, v.Who.By(), r, houseapi.Written([]byte(e.Source)))
		if err == nil && version > e.Based+1 {
			err = errMeanwhile // nothing of the transaction is kept
		}
		return published{key, version}, err
	})
	switch refusal := ticket.AsError(err); {
	case err == nil && done.Version == e.Based:
		return v.Done(k.PathOf(done.Key), v.T("versions.same", "Version", done.Version))
	case err == nil:
		return v.Done(k.PathOf(done.Key), v.T("versions.done", "Version", done.Version))
	case refusal == nil || refusal.Code != ticket.Conflict && refusal.Code != ticket.Invalid:
		return err
	case refusal == errMeanwhile && e.Key == "":
		w.Problem = v.T("versions.taken", "Key", k.Facts(r).Key)
	case refusal == errMeanwhile:
		return k.meanwhile(v, w)
	default:
		w.Problem = v.Refusal(refusal)
	}
	return k.render(v, http.StatusConflict, w)
}

// meanwhile shows the editor to somebody who lost a race: what was typed is there, with a link to what the other one changed, and what is published next follows the
// version that there is now.
func (k Kind[R]) meanwhile(v *page.Visit, w editView) error {
	latest, err := k.Latest(v.Until, v.Who.App.Tenant, w.Key)
	if err != nil {
		return err
	}
	w.Problem, w.Newer = v.T("versions.meanwhile"), page.Address(k.PathOf(w.Key), url.Values{"from": {strconv.Itoa(w.Based)}})
	w.Based = k.Facts(latest).Version
	return k.render(v, http.StatusConflict, w)
}
