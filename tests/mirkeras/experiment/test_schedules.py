from mirkeras.experiment import HalveOnCount, HalveOnPlateau, HalveOnRecovery, Rule, Staged


def play(rule: Rule, losses: list[float]) -> tuple[list[int], int | None]:
    """Epochs (from 1) after which the rate was halved, and the epoch that stopped the run."""
    memory, halved = rule.start(), []
    for epoch, loss in enumerate(losses, 1):
        verdict = rule.step(memory, {"loss": loss})
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


def test_only_the_code_of_cbmi_leaves_out_the_epoch_that_ends_a_run() -> None:
    worse = {"loss": 2.0, "val_loss": 2.0}
    rules = (HalveOnRecovery(limit=0), HalveOnPlateau(patience=1), Staged(stages=1, patience=0))
    for rule in rules:
        memory = rule.start()
        verdicts = [rule.step(memory, {"loss": 1.0, "val_loss": 1.0})]
        verdicts += [rule.step(memory, worse) for _ in range(2)]
        last = next(verdict for verdict in verdicts if verdict.stop)
        assert last.counts == (not isinstance(rule, HalveOnRecovery))
        assert all(verdict.counts for verdict in verdicts if not verdict.stop)


def test_plateau_halves_after_forty_epochs_without_improvement() -> None:
    assert play(HalveOnPlateau(), [1.0, *[1.0] * 39]) == ([], None)
    assert play(HalveOnPlateau(), [1.0, *[1.0] * 40, 0.9]) == ([41], None)


def test_plateau_stops_when_halving_did_not_help() -> None:
    assert play(HalveOnPlateau(), [1.0, *[1.0] * 80]) == ([41, 81], 81)
    helped = [1.0, *[1.0] * 40, 0.9, *[0.9] * 40]
    assert play(HalveOnPlateau(), helped) == ([41, 82], None)


def test_memory_is_plain_values() -> None:
    import json

    for rule in (HalveOnPlateau(), HalveOnRecovery(), Staged()):
        memory = rule.start()
        rule.step(memory, {"loss": 1.0, "val_loss": 1.0})
        assert json.loads(json.dumps(memory)) == memory


def rates(rule: Staged, losses: list[float]) -> list[float]:
    """Rates at which the epochs after each were trained, from 0.01, until the rule stops."""
    memory, rate, found = rule.start(), 0.01, []
    for loss in losses:
        verdict = rule.step(memory, {"loss": 0.0, "val_loss": loss})
        assert verdict.restart == (rule.separate_stages and verdict.factor != 1)
        if verdict.stop:
            return found
        rate *= verdict.factor
        found.append(float(f"{rate:.3g}"))
    return found


def test_stages_divide_by_five_after_more_than_three_epochs_without_a_decrease() -> None:
    assert rates(Staged(), [1.0, 1.1, 1.1, 1.1]) == [0.01] * 4
    assert rates(Staged(), [1.0, 1.1, 1.0, 1.1, 1.1]) == [0.01] * 4 + [0.002]
    assert rates(Staged(), [1.0, 1.1, 1.1, 1.1, 0.9, 1.0]) == [0.01] * 6


def test_five_stages_end_at_the_published_rate() -> None:
    found = rates(Staged(), [1.0] * 100)
    assert sorted(set(found), reverse=True) == [0.01, 0.002, 0.0004, 0.00008, 0.000016]
    assert len(found) == 1 + 5 * 4 - 1  # a first epoch, five times four, the last one stops


def test_separate_stages_measure_themselves_against_themselves() -> None:
    losses = [1.0, *[2.0] * 4, 1.5, *[1.6] * 3]
    assert rates(Staged(separate_stages=True), losses)[-1] == 0.002
    assert rates(Staged(), losses)[-1] == 0.0004


def test_the_count_of_bad_epochs_outlives_improvements_and_is_looked_at_first() -> None:
    def rates(losses: list[float]) -> list[int]:
        rule = HalveOnCount(patience=3)
        memory = rule.start()
        factors = [rule.step(memory, {"val_loss": loss}).factor for loss in losses]
        return [epoch for epoch, factor in enumerate(factors, 1) if factor == 0.5]

    # bad, bad, better, bad: three in all after epoch 5, halved at the end of epoch 6
    assert rates([1.0, 2.0, 1.0, 0.9, 2.0, 0.8, 2.0]) == [6]
    # what epoch 6 was counts for the next halving
    assert rates([1.0, *[2.0] * 8]) == [5, 8]
    assert rates([1.0, 2.0, 2.0, 0.9, 0.8]) == []
