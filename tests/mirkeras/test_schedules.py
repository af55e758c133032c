from mirkeras.schedules import HalveOnPlateau, HalveOnRecovery, Rule


def play(rule: Rule, losses: list[float]) -> tuple[list[int], int | None]:
    """Epochs (from 1) after which the rate was halved, and the epoch that stopped the run."""
    memory, halved = rule.start(), []
    for epoch, loss in enumerate(losses, 1):
        verdict = rule.step(memory, loss)
        if verdict.factor == 0.5:
            halved.append(epoch)
        if verdict.stop:
            return halved, epoch
    return halved, None


def test_recovery_halves_only_after_more_than_twenty_bad_epochs() -> None:
    assert play(HalveOnRecovery(), [1.0, *[2.0] * 20, 0.9]) == ([], None)
    assert play(HalveOnRecovery(), [1.0, *[2.0] * 21, 0.9]) == ([23], None)


def test_recovery_counts_bad_epochs_across_improvements() -> None:
    # 15 bad, better, 6 bad, better: 21 in all, although no stretch was that long
    assert play(HalveOnRecovery(), [1.0, *[2.0] * 15, 0.9, *[2.0] * 6, 0.8]) == ([24], None)


def test_recovery_counts_anew_after_halving() -> None:
    losses = [1.0, *[2.0] * 21, 0.9, *[2.0] * 20, 0.8]
    assert play(HalveOnRecovery(), losses) == ([23], None)


def test_recovery_stops_after_more_than_forty_bad_epochs() -> None:
    assert play(HalveOnRecovery(), [1.0, *[2.0] * 40]) == ([], None)
    assert play(HalveOnRecovery(), [1.0, *[2.0] * 41]) == ([], 42)


def test_recovery_takes_an_equal_loss_as_no_worse() -> None:
    assert play(HalveOnRecovery(), [1.0] * 100) == ([], None)


def test_plateau_halves_after_forty_epochs_without_improvement() -> None:
    assert play(HalveOnPlateau(), [1.0, *[1.0] * 39]) == ([], None)
    assert play(HalveOnPlateau(), [1.0, *[1.0] * 40, 0.9]) == ([41], None)


def test_plateau_stops_when_halving_did_not_help() -> None:
    assert play(HalveOnPlateau(), [1.0, *[1.0] * 80]) == ([41, 81], 81)
    helped = [1.0, *[1.0] * 40, 0.9, *[0.9] * 40]
    assert play(HalveOnPlateau(), helped) == ([41, 82], None)


def test_memory_is_plain_values() -> None:
    import json

    for rule in (HalveOnPlateau(), HalveOnRecovery()):
        memory = rule.start()
        rule.step(memory, 1.0)
        assert json.loads(json.dumps(memory)) == memory
