"""Exponents of patterns, against what is known of them."""

import numpy as np
import pytest

import unstill as us
from unstill.analysis.linear import growth_rates

GRID = us.Grid((12, 12))


def test_a_uniform_state_has_the_rates_of_its_waves():
    """Explicit Euler turns a rate σ to ln|1 + σ dt|/dt; the lattice's waves have 4 to 8 of each length."""
    system = us.GrayScott.make("pearson", F=0.06, k=0.045)
    found = us.lyapunov(system, grid=GRID, exponents=5, time=4000, transient=6000)
    (spectrum,) = found.spectra
    state = us.simulate(system, grid=GRID, steps=6000).state[0].mean((-2, -1))
    symbol = np.add.outer(*(2 * (np.cos(2 * np.pi * np.arange(12) / 12) - 1),) * 2).ravel()
    rates = np.log(np.abs(1 + growth_rates(system, state, symbol))).ravel()
    assert spectrum.exponents == pytest.approx(np.sort(rates)[::-1][:5], abs=5e-4)  # pairs, by turns
    assert found.null == (None, None)
    assert found.slopes == [None]


def test_a_trajectory_goes_on_where_it_stands():
    system = us.GrayScott(Du=0.05, Dv=0.025, F=0.014, k=0.053)
    film = us.simulate(system, grid=us.Grid((32, 32)), steps=6000, seed=0)
    found = us.lyapunov(film, exponents=2, time=8000)
    assert found.transient == 0
    assert found.orbits == 1
    first = found.spectra[0]
    assert first.exponents[0] == pytest.approx(2.5e-3, abs=2e-3)
    assert first.exponents[0] > first.exponents[1]
    again = us.lyapunov_spectrum(system, film.state[0], grid=us.Grid((32, 32)), count=2, time=8000, transient=800)
    assert np.array_equal(again.exponents, first.exponents)


def test_two_orbits_have_two_states():
    system = us.GrayScott.make("pearson", F=0.06, k=0.045)
    found = us.lyapunov(system, grid=GRID, orbits=2, time=2000, transient=0)
    assert found.spectra[0].orbits.shape == (2, 1)
    assert found.spectra[0].orbits[0, 0] != found.spectra[0].orbits[1, 0]
