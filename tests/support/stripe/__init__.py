"""A small Stripe: real HTTP, Stripe's shapes, signed webhooks, and hands to pay, fail, refund and dispute with."""
