"""The API's description as FastAPI makes it, with its examples whole: FastAPI leaves out what is null in them."""

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel

from portals_api import answers
from portals_api.answers.shape import SAID, ErrorOut, example_of
from portals_api.examples import EXAMPLES, PARAMETERS, WHAT

_PREFIX = "#/components/schemas/"


class Described(FastAPI):
    """An application whose description keeps its examples whole."""

    def openapi(self) -> dict[str, Any]:
        if self.openapi_schema is None:
            found = super().openapi()
            examples = _examples()
            for name, schema in found.get("components", {}).get("schemas", {}).items():
                if name in examples:
                    schema["example"] = examples[name]
            for path, methods in found["paths"].items():
                for operation in methods.values():
                    _give_examples(found, operation)
                    if path.startswith(("/api/v1/", "/feeds/")):
                        _say_errors(found, path, operation)
                        for kind, example in EXAMPLES.get(path, {}).items():
                            content = operation["responses"]["200"].setdefault("content", {})
                            content.setdefault(kind, {})["example"] = example
                    for response in operation.get("responses", {}).values():
                        for content in response.get("content", {}).values():
                            _restore(content, examples)
        return super().openapi()


def _give_examples(found: dict[str, Any], operation: dict[str, Any]) -> None:
    """Show each parameter by an example, unless the values that it takes are listed."""
    for parameter in operation.get("parameters", ()):
        if not _is_listed(found, parameter["schema"]):
            name = parameter["name"]
            parameter["example"] = PARAMETERS.get(f"{parameter['in']} {name}", PARAMETERS[name])
        if parameter["name"] in WHAT:
            parameter.setdefault("description", WHAT[parameter["name"]])


def _is_listed(found: dict[str, Any], schema: dict[str, Any]) -> bool:
    reference = schema.get("$ref", "").removeprefix(_PREFIX)
    shape = found["components"]["schemas"][reference] if reference else schema
    return "enum" in shape or any(_is_listed(found, part) for part in shape.get("anyOf", ()))


def _say_errors(found: dict[str, Any], path: str, operation: dict[str, Any]) -> None:
    """Say of an operation what holds for all: each error has the one shape, whoever forgot to say so."""
    shape = {"schema": {"$ref": _PREFIX + ErrorOut.__name__}}
    found["components"]["schemas"].setdefault(ErrorOut.__name__, ErrorOut.model_json_schema())
    takes_cursor = any(parameter["name"] == "next" for parameter in operation.get("parameters", ()))
    takes_name = "{" in path or any(parameter["name"] == "district" for parameter in operation.get("parameters", ()))
    for status in (*((400,) if takes_cursor else ()), *((404,) if takes_name else ()), 422, 503):
        said = operation["responses"].setdefault(str(status), {"description": SAID[status]})
        said["content"] = {"application/json": dict(shape)}


def _examples() -> dict[str, Any]:
    """Return the example of every answer, by its name."""
    told = {model.__name__: example_of(model) for model in _answers(BaseModel)}
    return {name: example for name, example in told.items() if example is not None}


def _answers(kind: type[BaseModel]) -> Iterator[type[BaseModel]]:
    for model in kind.__subclasses__():
        if model.__module__.startswith(answers.__name__ + "."):
            yield model
        yield from _answers(model)


def _restore(content: dict[str, Any], examples: dict[str, Any]) -> None:
    name = content.get("schema", {}).get("$ref", "").removeprefix(_PREFIX)
    if name in examples:
        content["example"] = examples[name]
