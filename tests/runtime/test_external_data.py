"""Every way in which a graph can name a file is found."""

from __future__ import annotations

import pytest
from onnx import (
    AttributeProto,
    FunctionProto,
    GraphProto,
    ModelProto,
    SparseTensorProto,
    TensorProto,
)

from runtime.errors import BundleError
from runtime.external_data import external_files


def tensor(location: str) -> TensorProto:
    made = TensorProto(data_location=TensorProto.EXTERNAL)
    made.external_data.add(key="offset", value="0")
    made.external_data.add(key="location", value=location)
    return made


def test_tensors_are_found_wherever_a_model_can_hold_one() -> None:
    sparse = SparseTensorProto(values=tensor("sparse.values"), indices=tensor("sparse.indices"))
    nested = GraphProto(initializer=[tensor("nested")])
    attributes = [
        AttributeProto(name="t", t=tensor("constant")),
        AttributeProto(name="ts", tensors=[tensor("constants")]),
        AttributeProto(name="g", g=nested),
        AttributeProto(name="gs", graphs=[GraphProto(initializer=[tensor("nested.list")])]),
        AttributeProto(name="s", sparse_tensor=sparse),
        AttributeProto(name="ss", sparse_tensors=[SparseTensorProto(values=tensor("list"))]),
    ]
    model = ModelProto(ir_version=10)
    model.graph.initializer.append(tensor("initializer"))
    model.graph.sparse_initializer.append(SparseTensorProto(values=tensor("sparse")))
    model.graph.node.add(op_type="If", attribute=attributes)
    function = FunctionProto(
        name="f", attribute_proto=[AttributeProto(name="d", t=tensor("default"))]
    )
    function.node.add(op_type="Constant", attribute=[AttributeProto(name="v", t=tensor("body"))])
    model.functions.append(function)
    model.training_info.add(initialization=GraphProto(initializer=[tensor("training")]))
    assert external_files(model.SerializeToString()) == {
        "body",
        "constant",
        "constants",
        "default",
        "initializer",
        "list",
        "nested",
        "nested.list",
        "sparse",
        "sparse.indices",
        "sparse.values",
        "training",
    }


def test_other_text_is_no_location() -> None:
    model = ModelProto(producer_name="location")
    model.graph.initializer.append(TensorProto(name="location", string_data=[b"location"]))
    assert external_files(model.SerializeToString()) == set()


@pytest.mark.parametrize("cut", [1, 5, 12])
def test_a_model_that_is_cut_off_is_refused(cut: int) -> None:
    model = ModelProto()
    model.graph.initializer.append(tensor("weights.bin"))
    with pytest.raises(BundleError, match="cut off"):
        external_files(model.SerializeToString()[:-cut])


def test_a_bottomless_model_is_refused() -> None:
    graph = GraphProto(name="innermost")
    for _ in range(25):
        outer = GraphProto()
        outer.node.add(attribute=[AttributeProto(g=graph)])
        graph = outer
    with pytest.raises(BundleError, match="nested too deeply"):
        external_files(ModelProto(graph=graph).SerializeToString())
