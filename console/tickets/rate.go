package tickets

import (
	"context"
	"strconv"

	"signalbox/console/forms"
	"signalbox/console/page"
	"signalbox/ticket"
)

// formRate is what the form for a rating is called.
const formRate = "rate"

// ratedView is what somebody thinks of how a ticket went, or the form by which its opener says so.
type ratedView struct {
	ticket.Rating           // without stars: there is none
	Form          *formView // nil: the visitor is not asked
}

// Most is how many stars a rating can have.
func (ratedView) Most() int { return ticket.MaxStars }

// rated finds the rating of a ticket: only one that was completed can have one.
func (s *Room) rated(v *page.Visit, h header, sent *refused) (out ratedView, err error) {
	if h.Status != ticket.Completed && h.Generation == 0 {
		return out, nil
	}
	found, err := s.Reader.Ratings(v.Until, []int64{h.ID})
	if err != nil {
		return out, err
	}
	out.Rating = found[h.ID]
	if h.Acts && h.Rateable(v.Who.Person, out.Stars > 0) {
		out.Form = rating(v, sent)
	}
	return out, nil
}

// rating is the form for a rating.
func rating(v *page.Visit, sent *refused) *formView {
	stars := forms.Input{Name: "stars", Label: v.T("rating.stars"), Kind: forms.Select, Required: true}
	for n := ticket.MaxStars; n > 0; n-- {
		stars.Choices = append(stars.Choices, forms.Choice{Key: strconv.Itoa(n), Name: v.T("rating.given", "Count", n)})
	}
	f := formView{ID: formRate, Action: formRate, Inputs: []forms.Input{stars,
		{Name: "comments", Label: v.T("act.comment"), Kind: forms.Text, Max: ticket.MaxRatingComment}}}
	f.finish(v, sent)
	return &f
}

// rate keeps the rating that the opener of a ticket gives it, once.
func (s *Room) rate(v *page.Visit, h header) error {
	r := ticket.Rating{Operator: v.Who.Person, Comments: forms.Lines(v.Form.Text("comments"))}
	r.Stars, _ = strconv.Atoi(v.Form.Get("stars")) // what is no number is no star
	err := r.Check()
	if err == nil {
		_, err = page.Transact(v, s.Desk, false, func(ctx context.Context) (int, error) {
			if r.Operator != h.Opener {
				return 0, ticket.RefuseField(ticket.Forbidden, "operator", "only the opener of a ticket rates it")
			}
			return r.Stars, s.Reader.Rate(ctx, h.Tenant, h.Number, r)
		})
	}
	if err != nil {
		return s.again(v, h, err)
	}
	return v.Done(h.Path, v.T("rating.done"))
}
