package races

// end is what is left of the Authorization when it ended.
func (s authorizationState) end() authorizationState {
	s.Live, s.Access, s.Refresh, s.Previous, s.Older = false, 0, 0, 0, ""
	return s
}

// admits reports whether what an issue shows proves the user.
func (s authorizationState) admits(in input) bool {
	return !s.UserDisabled && !s.Gone && (in.Dated == 0 || in.Dated >= s.Earliest) && (!in.ByPassword || in.Password == s.Password)
}

// changed is a step of what a back end does to a user.
func (s authorizationState) changed(in input, out output) (bool, authorizationState) {
	switch in.Verb {
	case doSave:
		if out.Refused || s.Gone { // nobody is there to be changed, or the answer got lost
			return s.Gone && (out.Refused || out.Unknown), s
		}
		if in.SetsPassword {
			s.Password = in.Password
		}
		if in.SetsDisabled {
			s.UserDisabled = in.Disables
		}
		s.Saved = s.Saved.with(in.Change)
		return true, s
	case doRaise:
		if !s.Saved.has(in.Change) {
			return in.Change > 0 && out.Unknown && s.Gone, s // it was never saved, and so is never raised
		}
		s = s.end()
		if in.SetsDisabled {
			s.Disabled = in.Disables
		}
		s.Raised = s.Raised.with(in.Change)
		return true, s
	}
	// Gone: the state was disabled before.
	s.Gone = true
	return s.Raised.has(in.Change), s
}
