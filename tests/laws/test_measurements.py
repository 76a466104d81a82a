"""What encoding measurements obeys: no look ahead, nothing but finite numbers, and the same
codec after JSON."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ensue.data.codecs.labels import LabelSettings, fit_labels
from ensue.data.codecs.measurements import MeasurementCodec, Measurements, Scaling
from ensue.data.labelled import Example
from ensue.data.tables.rows import could_be_text
from ensue.errors import DataError

SETTINGS = [
    Measurements(),
    Measurements(bands="symbols", scale="asinh"),
    Measurements(merge_within=2.0, scale="linear"),
]

VALUES = st.one_of(st.just(np.nan), st.floats(-1e9, 1e9), st.sampled_from([0.0, 1e-12, -1e30]))


@st.composite
def curves(draw) -> dict:
    """An irregular sequence: bands that may be missing, values that may be, and errors of zero."""
    count = draw(st.integers(1, 12))
    between = draw(
        st.lists(st.sampled_from([0.0, 0.01, 1.0, 30.0]), min_size=count, max_size=count)
    )
    columns = [draw(st.lists(VALUES, min_size=count, max_size=count)) for _ in range(2)]
    return {
        "time": np.cumsum(between),
        "channel": draw(st.lists(st.sampled_from("gri"), min_size=count, max_size=count)),
        "flux": np.array(columns[0]),
        "standard_error": np.abs(columns[1]),
        "redshift": draw(st.sampled_from([0.1, 2.0, np.nan])),
    }


@pytest.mark.parametrize("chosen", SETTINGS, ids=str)
@given(training=st.lists(curves(), min_size=1, max_size=4), other=curves())
@settings(max_examples=15, deadline=None)
def test_encoding_is_finite_and_outlives_json(chosen, training, other):
    codec = MeasurementCodec.fit(training, chosen)
    again = MeasurementCodec.from_json(json.loads(json.dumps(codec.to_json())))
    assert again.to_json() == codec.to_json()
    assert again.shape == codec.shape
    for content in (*training, other):
        steps, whole = codec.encode(content)
        assert steps["numbers"].dtype == np.float32
        assert steps["numbers"].shape[1] == codec.shape.numbers
        assert np.isfinite(steps["numbers"]).all()
        assert np.isfinite(whole["static"]).all()
        for name, size in codec.shape.symbols.items():
            assert len(steps[name]) == len(steps["numbers"])
            assert (steps[name] < size).all()
        for ours, theirs in zip(
            (steps | whole).values(),
            ({**again.encode(content)[0], **again.encode(content)[1]}).values(),
            strict=True,
        ):
            assert np.array_equal(ours, theirs)


@pytest.mark.parametrize("chosen", SETTINGS, ids=str)
@given(training=st.lists(curves(), min_size=1, max_size=3), content=curves(), share=st.floats(0, 1))
@settings(max_examples=15, deadline=None)
def test_steps_do_not_look_ahead(chosen, training, content, share):
    codec = MeasurementCodec.fit(training, chosen)
    cut = max(1, round(share * len(content["time"])))
    begun = {
        name: value[:cut] if np.ndim(value) or isinstance(value, list) else value
        for name, value in content.items()
    }
    whole, part = codec.encode(content)[0]["numbers"], codec.encode(begun)[0]["numbers"]
    complete = len(part) - 1  # the last step may have been cut within
    assert np.array_equal(whole[: max(complete, 0)], part[: max(complete, 0)])


@pytest.mark.parametrize("how", ["linear", "asinh", "auto"])
def test_scaled_training_values_have_mean_zero_and_sd_one(how):
    draws = np.random.default_rng(1)
    values = np.stack(
        [draws.normal(5, 3, 500), np.exp(draws.normal(0, 4, 500)), np.full(500, 7.0)], 1
    )
    values[::7, 0] = np.nan
    scaling = Scaling.fit(values, how)
    scaled = scaling(values)
    assert np.nanmean(scaled, 0) == pytest.approx([0, 0, 0], abs=1e-9)
    assert np.nanstd(scaled, 0) == pytest.approx([1, 1, 0], abs=1e-9)
    assert [bend is None for bend in scaling.bend] == {
        "linear": [True] * 3,
        "asinh": [False] * 3,
    }.get(how, [True, False, True])


def test_observations_of_a_night_become_one_step():
    content = {
        "time": np.array([0.0, 0.02, 0.04, 5.0, 5.01, 10.0, 10.3]),
        "channel": ["g", "r", "g", "r", "g", "g", "r"],
        "flux": np.arange(7.0),
    }
    codec = MeasurementCodec.fit([content], Measurements(merge_within=0.1, scale="linear"))
    numbers = codec.encode(content)[0]["numbers"]
    assert codec.shape.numbers == 2 + 2 + 2
    # Steps: g and r at 0; g again at 0.04; r and g at 5; g at 10; r at 10.3, too late for its
    # night.
    assert numbers[:, 2].tolist() == [1, 1, 1, 1, 0]
    assert numbers[:, 3].tolist() == [1, 0, 1, 0, 1]
    assert numbers[1, 1] == numbers[0, 1]  # carried on
    assert numbers[:, 4] == pytest.approx(np.array([0, 0.04, 5, 10, 10.3]) / 10.3)
    odd = content | {"channel": ["g", "r", "g", "r", "g", "u", "u"]}
    assert np.array_equal(codec.encode(odd)[0]["numbers"], numbers[:3])
    assert (codec.unknown_channels(odd), codec.unknown_channels(content)) == (["u"], [])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            {"value": np.zeros((4, 3))},
            "'value' has 3 channels where it had 2 in training; give the same channels",
        ),
        ({"values": np.zeros((4, 2))}, "there is no field 'value'; did you mean values?"),
        ("abc", "the content is a text, and measurements are expected; give fields of numbers"),
    ],
)
def test_other_fields_are_refused(content, message):
    codec = MeasurementCodec.fit([{"value": np.zeros((4, 2))}], Measurements())
    with pytest.raises(DataError) as caught:
        codec.encode(content)
    assert str(caught.value) == message


def test_nothing_to_learn_from():
    with pytest.raises(
        DataError, match="there are no sequences of measurements; give some for training"
    ):
        MeasurementCodec.fit([], Measurements())


@pytest.mark.parametrize("power", [-1020, -700, 300])
def test_numbers_of_any_size_are_scaled_alike(power: int) -> None:
    """The square of 2 ** -700 is 0, and numbers of that size seemed to be constant."""
    values = np.random.default_rng(1).normal(3, 2, (50, 2))
    for how in ("linear", "auto", "asinh"):
        usual, tiny = (Scaling.fit(part, how) for part in (values, np.ldexp(values, power)))
        np.testing.assert_allclose(tiny(np.ldexp(values, power)), usual(values), rtol=1e-9)
    numbers = [f"{number!r}" for number in np.ldexp(values[:, 0], power).tolist()]
    labels = [Example("x", number, "a.csv", 1) for number in numbers]
    codec = fit_labels(labels, LabelSettings(), "regression", "")
    assert codec.scale == pytest.approx(np.ldexp(values[:, 0].std(), power), rel=1e-9)


def test_a_number_in_powers_of_ten_is_no_text() -> None:
    assert not could_be_text([f"{number}e-07" for number in range(30)])
    assert could_be_text([f"take {number} pills" for number in range(30)])
