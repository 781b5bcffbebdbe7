"""An instance of a JSON Schema: candidates in order of plausibility, of which the first that fits is taken."""

from __future__ import annotations

from typing import Any

from jsonschema.exceptions import UnknownType
from referencing.exceptions import Unresolvable

from ....errors import InvalidRequest
from ....wire.json_schema.time_budget import TooCostly
from .candidates import Maker
from .checks import BadSchema, Budget, NoInstance, TooHard, check_schema, fitting
from .hints import Hints


def instance(schema: Any, hints: Hints, param: str) -> Any:
    """A value that validates against the schema, with values from the text where they fit.

    The same schema and text give the same value. Raises InvalidRequest naming `param` when the schema is not valid,
    nothing satisfies it, or it is too complex for test mode.
    """
    try:
        check_schema(schema)
        budget = Budget()
        return budget.time.run(Maker(fitting(schema, budget), hints, budget).make)
    except BadSchema as wrong:
        raise InvalidRequest(f"The schema is not valid JSON Schema: {wrong}.", param=param) from wrong
    except (Unresolvable, UnknownType) as wrong:
        raise InvalidRequest(f"The schema cannot be resolved: {wrong}"[:300], param=param) from wrong
    except NoInstance as wrong:
        raise InvalidRequest("Test mode found no value that satisfies the schema.", param=param) from wrong
    except (TooHard, TooCostly, RecursionError) as wrong:
        raise InvalidRequest(
            f"Test mode cannot answer this schema: {wrong}. A live key is not bound by this.", param=param
        ) from wrong
