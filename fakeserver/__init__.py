"""Fakes paginated event-log APIs and judges whether a client loses or repeats events."""
