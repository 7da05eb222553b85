"""What the made-up library of `benchmarks.search` is written from: two lists that share no theme.

A theme has three subjects. A subject: what it is called | other words for it | something said =>
how somebody asks who shares no word with it | a picture | the same in Russian: name; other words |
something said => asked in other forms of the same words | the same in Russian.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

# Fusion was tuned on this list.
TUNING = """
# baking
sourdough bread|rye starter; crusty loaf; wild yeast; long proofing
|you feed flour and water to the jar every morning until it bubbles => how to keep natural leaven
 alive|a round loaf cut open on a wooden board|хлеб на закваске; ржаная закваска; хрустящая корочка
|these loaves were scored with razor blades => scoring a loaf with a razor blade
|закваску кормили ржаной мукой трижды => кормить закваски ржаная мука
birthday cake|sponge layers; butter cream; icing roses; cake stand
|we light the candles and everybody sings for the child who turns five => dessert for a kid's
 anniversary party|a tall pink cake with burning candles|торт на день рождения; бисквит; масляный
 крем
|the icing cracked because sponges were cooling => cracking of icing on a cool sponge
|бисквиты пропитали вишнёвым сиропом => пропитать бисквит вишнёвый сироп
cinnamon rolls|sweet dough; brown sugar filling; soft buns; glaze
|spread the spice and sugar then roll it up and slice the log into spirals => making swirly
 breakfast pastry|sticky spiral buns in a baking tray|булочки с корицей; сладкое тесто; глазурь для
 булочек
|she glazed the buns while trays were smoking => glaze a bun on a smoke tray
|тёплые булочки поливали глазурью => полить булочку тёплая глазурь
# fishing
pike fishing|spinning rod; metal lure; steel leader; reeds by the shore
|the big green predator attacked my spoon right next to the weeds => toothy fish bites a shiny bait
|a man holding a long green fish in a boat|ловля щуки; спиннинг; блесна; стальной поводок
|steel leaders were bitten by two predators => predator biting a steel leader
|щуки хватали жёлтую блесну => щука хватает жёлтые блёсны
ice fishing|hand auger; frozen lake; winter tent; tiny jig
|we drilled a hole and sat on a bucket in the cold waiting for perch => getting a bite through solid
 water in january|people sitting on stools on a snowy lake|зимняя рыбалка; ледобур; мормышка
|augers drilled nine holes around tents => drill a hole with an auger
|окуни клевали на красную мормышку => окунь клюёт красные мормышки
fly fishing|trout stream; hand tied flies; waders; casting line
|standing in the river he whipped the line back and forth to drop a feather on the water => graceful
 throws with an artificial insect|an angler knee deep in a rocky river|нахлыст; форель; мушки
|waders leaked while he was tying nymphs => leaking wader and a tied nymph
|форели брали сухую мушку => форель берёт сухие мушки
# astronomy
black hole|event horizon; accretion disk; spaghettification; hawking radiation
|nothing can escape once it falls in, not even light itself => a dead star whose gravity swallows
 everything|a dark circle with a glowing orange ring|чёрная дыра; горизонт событий; аккреционный
 диск
|horizons were imaged by eight dishes => imaging a horizon with dish
|телескопы сняли горизонты чёрных дыр => телескоп снял горизонт чёрная дыра
mars rover|red planet; landing crane; rock samples; dust storm
|the six wheeled robot drills into stones and looks for traces of ancient life => vehicle exploring
 another world for microbes|a six wheeled machine on red sand|марсоход; красная планета; пыльная
 буря
|drills cored seven samples before storms => coring a sample with a drill
|марсоходы бурили древние породы => марсоход бурит древняя порода
solar eclipse|moon shadow; corona; totality; special glasses
|for three minutes the day turned into night and birds stopped singing => why does it get dark at
 noon|a black sun with a white crown in a dark sky|солнечное затмение; корона солнца; лунная тень
|shadows swept across valleys during totality => shadow sweeping a valley
|тени луны накрыли степные города => тень накрывает степной город
# guitar
barre chord|index finger; six strings; f major; thumb position
|press all the strings with one finger and roll it slightly on its side => why my hand hurts when i
 clamp the whole fretboard|a hand pressing all strings on a fretboard|аккорд с баррэ; указательный
 палец
|fingers were buzzing against two frets => finger buzz on a fret
|пальцы прижимали звенящие струны => палец прижимает звенящую струну
electric guitar|distortion pedal; humbucker; tube amplifier; whammy bar
|plug it in, turn up the gain and the neighbours will hear the solo => loud rock sound with an amp
|a red guitar leaning on an amplifier|электрогитара; педаль дисторшн; ламповый усилитель
|pedals hummed until pickups got shielded => humming pedal and shielding a pickup
|датчики экранировали медной фольгой => экранировать датчик медная фольга
restringing|string winder; tuning pegs; new strings; cutting pliers
|take the old ones off, wind them around the posts and stretch until they hold pitch => replacing
 worn wires on an instrument|coils of wire and pliers on a table|замена струн; колки; новые струны
|pegs slipped after wires were stretched => a peg slips when stretching wire
|колки смазывали сухим графитом => смазать колок сухой графит
# football
penalty kick|spot kick; goalkeeper dive; shootout; eleven metres
|he placed the ball on the spot, waited for the keeper to move and rolled it into the corner => how
 to score one on one from the mark|a goalkeeper diving to the left|пенальти; вратарь; серия пенальти
|keepers dived before strikers stuttered => striker stutter and a diving keeper
|вратари угадали нижние углы => вратарь угадал нижний угол
offside rule|last defender; assistant flag; attacking line; video referee
|when the pass is played the forward must not be behind everybody else => why was that goal
 cancelled for position|a linesman raising a flag|правило офсайда; боковой судья; линия защиты
|flags were raised on passes behind defenders => raise a flag on a pass
|защитники выстроили ложные линии => защитник строит ложную линию
transfer window|release clause; medical check; record fee; deadline day
|the club paid eighty million for the young striker just before midnight => buying players in summer
|a player holding up a new shirt|трансферное окно; сумма отступных; медосмотр
|clubs triggered clauses of two wingers => club triggering a clause
|клубы выкупили молодых нападающих => клуб выкупает молодой нападающий
# garden
tomato seedlings|peat pots; grow lamp; window sill; first true leaves
|i sow them in march in small cups and put them by the warm window => starting vegetables indoors
 before spring|small green sprouts in black pots|рассада томатов; торфяные горшки; фитолампа
|cups were flooded and stems stretched => flooding a cup and a stretched stem
|горшки поливали талой водой => полить горшок талая вода
rose pruning|sharp secateurs; outer bud; dead wood; spring cut
|cut above the bud that faces outwards and burn everything that is black => trimming thorny bushes
 after winter|gloved hands cutting a thorny branch|обрезка роз; секатор; внешняя почка
|secateurs crushed thorny canes => crush a cane with thorny secateur
|секаторы срезали мёрзлые побеги => секатор срезает мёрзлый побег
compost heap|kitchen scraps; brown leaves; turning fork; worm bin
|throw peels and dry leaves in layers and turn it every two weeks => what to do with rotting food
 waste|steam rising from a pile of rotten leaves|компостная куча; пищевые отходы; дождевые черви
|forks turned steaming layers => turning a layer with a fork
|черви перерабатывали сырые очистки => червь перерабатывает сырая очистка
# python
list comprehension|one line loop; filter condition; nested brackets; generator expression
|instead of appending in a cycle you write the whole thing inside square brackets => compact way to
 build sequences in code|a screen with a short line of coloured code|списковые включения; вложенные
 скобки
|brackets were nested in two generators => nesting a bracket in a generator
|скобки раскрывали вложенные циклы => скобка раскрывает вложенный цикл
web scraping|html parser; css selector; request headers; rate limit
|the script downloads the page and pulls the prices out of the tags => collecting data from sites
 automatically|browser developer tools beside a terminal|парсинг сайтов; селектор; заголовки запроса
|headers were spoofed by scrapers => spoof a header in a scraper
|парсеры собирали ночные цены => парсер собирает ночную цену
unit tests|assert statement; mock object; coverage report; red green refactor
|every function gets a small check that runs before each commit => making sure the program still
 works
|a terminal with rows of green dots|юнит-тесты; проверка покрытия; заглушка
|mocks hid two failing assertions => a mock hides a failed assertion
|заглушки скрыли падающие проверки => заглушка скрывает падающую проверку
# knitting
wool socks|heel flap; five needles; ribbed cuff; sock yarn
|turn the heel, pick up stitches on both sides and knit down to the toe => handmade footwear for
 cold floors|striped grey socks on wooden floor|шерстяные носки; пятка носка; спицы; резинка
|cuffs were ribbed on four needles => ribbing a cuff with a needle
|пятки вязали двойной нитью => вязать пятку двойная нить
granny square|crochet hook; colourful blanket; chain ring; double crochet
|make a ring of chains and work clusters around with a new colour each round => retro patchwork
 coverlet from yarn leftovers|a blanket of bright crocheted tiles|бабушкин квадрат; крючок; плед
|squares were blocked and hooks bent => blocking a square with a bent hook
|квадраты сшивали белой пряжей => сшить квадрат белая пряжа
sweater pattern|raglan sleeve; gauge swatch; circular needle; neckline
|cast on at the neck and increase along four lines until it reaches the armpits => instructions for
 a warm pullover from top down|a folded green pullover with buttons|схема свитера; рукав реглан;
 горловина
|sleeves grew as swatches shrank => growing sleeve and a shrinking swatch
|рукава распускали дважды вечером => распустить рукав вечером
# cars
oil change|drain plug; oil filter; dipstick; jack stands
|unscrew the bolt under the sump, let the black stuff run out and put a new filter => fresh
 lubricant for the engine|black liquid pouring into a basin under a car|замена масла; масляный
 фильтр; щуп
|filters were torn and plugs stripped => tearing a filter, stripped plug
|фильтры забило чёрной стружкой => фильтр забит чёрная стружка
brake pads|caliper piston; worn disc; squeaking noise; brake fluid
|it squealed each time i stopped so i took the wheel off and changed both sides => grinding sound
 when slowing down|a rusty disc with a wheel removed|тормозные колодки; суппорт; тормозной диск
|pistons jammed in rusted calipers => jam of a piston in a rusting caliper
|суппорты закисли солёной зимой => суппорт закис солёная зима
jump start|flat battery; red clamp; jumper cables; alternator
|connect plus to plus, the black one to bare metal and turn the key of the other vehicle => engine
 won't turn over in the morning|two cars nose to nose with cables|прикурить машину; провода; севший
 аккумулятор
|clamps sparked on corroded terminals => clamp sparking on a terminal
|клеммы зачищали мелкой шкуркой => зачистить клемму мелкая шкурка
# cats
kitten litter|litter box; clay granules; potty corner; scoop
|put the little one into the tray after each meal and praise it => toilet training for a baby
 animal|a tiny kitten in a blue plastic tray|кошачий лоток; наполнитель; приучить котёнка
|granules stuck to wet paws => granule sticking to a paw
|лапы вытирали влажной тряпкой => вытереть лапу влажная тряпка
cat grooming|slicker brush; shedding fur; nail clipper; matted hair
|comb along the back and then the belly, stop when the tail starts to twitch => pet leaves fluff all
 over the sofa|a long haired cat being brushed|вычёсывание кошки; пуходёрка; когтерез
|brushes pulled matted tufts => pull a tuft with a brush
|когти подстригали спящим котам => подстричь коготь спящий кот
scratching post|sisal rope; torn sofa; climbing tree; catnip
|she wrapped rope around a log so that the couch would survive => protect furniture from claws
|a cat stretching along a rope column|когтеточка; сизаль; кошачья мята; порванный диван
|ropes frayed on wrapped logs => rope fraying on a log
|верёвки намотали толстым слоем => намотать верёвка толстый слой
# elections
polling station|ballot box; voter list; paper ballot; queue at noon
|citizens drop their folded sheets into a sealed container from eight in the morning => where and
 how people cast votes|people queueing in a school hall|избирательный участок; урна; бюллетень
|ballots were stamped by observers => stamp a ballot, observer
|бюллетени опускали вечерние избиратели => опустить бюллетень вечерний избиратель
candidate debate|live studio; moderator question; closing speech; microphone cut
|the two rivals argued about taxes for an hour and interrupted each other => politicians quarrel on
 television|two people at lecterns under studio lights|дебаты кандидатов; ведущий; прямой эфир
|moderators muted shouting candidates => mute a candidate, shout
|ведущие перебивали кричащих депутатов => ведущий перебивает кричащий депутат
coalition talks|minority cabinet; junior partner; signed agreement; parliament seats
|no party won enough so three of them negotiated all night about ministers => forming a government
 together|people in suits around a long table|коалиция; переговоры партий; министерские посты
|ministers resigned as partners quarrelled => partner resigning, a minister's quarrel
|партии делили министерские портфели => партия делит министерский портфель
"""

# Results are told of this list; nothing was chosen on it.
FRESH = """
# coffee
espresso shot|portafilter; crema; bar pressure; tamping
|grind it finer if the stream runs too quickly and tastes sour => strong tiny drink pulled badly
|dark liquid dripping into a small white cup|эспрессо; холдер; темпер; давление помпы
|baskets were dosed and pucks knocked => knocking a puck from a basket
|таблетки выбивали мокрыми комками => выбить таблетка мокрый комок
latte art|milk jug; steamed foam; rosetta; free pour
|tilt the cup, bring the spout close and wiggle until a leaf appears => drawing pictures on a
 cappuccino|a leaf pattern in a brown cup|латте арт; питчер; молочная пена
|jugs were swirled before leaves bloomed => swirling a jug, a blooming leaf
|питчеры нагрели холодное молоко => питчер нагревает холодное молоко
cold brew|coarse grounds; mason jar; overnight steep; concentrate
|leave it in the fridge until tomorrow, strain and add ice => refreshing caffeine without heat
|a glass jar with dark drink and ice|холодное заваривание; крупный помол; банка
|jars were strained through cloths => strain a jar with cloth
|банки процедили плотной марлей => процедить банка плотная марля
# cycling
flat tyre|inner tube; tyre lever; patch kit; hand pump
|find the hiss, roughen the rubber, glue and press for a minute => hole in my bicycle wheel on the
 road
|an upside down bicycle with a wheel off|прокол колеса; камера велосипеда; монтажка
|patches peeled from glued tubes => peel a patch off a tube
|камеры заклеили круглыми латками => заклеить камера круглая латка
chain cleaning|degreaser; bike chain; sprocket; dry lube
|soak the links, scrub until the rag stays white and drip a little on each roller => black greasy
 drivetrain makes noise|a rag wiping a dirty chain|чистка цепи; обезжириватель; звёздочка
|links rusted when riders skipped lubing => rust on a link, rider skipping lube
|звенья отмыли старой щёткой => отмыть звено старая щётка
mountain descent|dropper post; braking bumps; hairpin; full face helmet
|look far ahead, put your weight behind the saddle and let the bike roll over roots => riding
 downhill fast without falling|a rider jumping over rocks in a forest|горный спуск; шлем; крутой
 поворот
|helmets cracked on rooted drops => cracking a helmet on a drop
|шлемы спасли трёх райдеров => шлем спас райдера
# chess
queen gambit|d4 opening; c4 pawn; declined variation; centre control
|white offers a side pawn on the second move to get the middle of the board => how champions start
 their games|a wooden board with two pawns forward|ферзевый гамбит; дебют; пешка в центре
|pawns were traded and bishops fianchettoed => trading a pawn, bishop
|пешки меняли белопольных слонов => пешка меняет белопольный слон
rook endgame|lucena position; cut off king; passed pawn; tablebase
|build a bridge with the tower so the checks run out and the last soldier promotes => finishing when
 few pieces are left|two towers and two kings on a board|ладейный эндшпиль; проходная; мост
|kings were cut off by two rooks => cutting off a king by a rook
|ладьи отрезали чёрных королей => ладья отрезает чёрный король
blitz game|three minutes; increment; time trouble; premove
|he flagged with a won position because his hand was too slow for the clock => playing very quickly
 and losing on seconds|hands slamming a digital clock|блиц партия; цейтнот; шахматные часы
|clocks were slapped and flags fell => slap a clock, falling flag
|часы остановили спорящие судьи => остановить часы спорящий судья
# photography
night sky photo|wide lens; long exposure; light pollution; star trails
|put it on a tripod away from the town and open the shutter for twenty seconds => shooting the milky
 way|a bright band of stars above a tent|съёмка звёздного неба; штатив; выдержка
|tripods sank while shutters stayed open => a sinking tripod, shutter
|штативы утопали мягким снегом => штатив утопает мягкий снег
portrait light|softbox; rim light; reflector; catchlight in eyes
|place the big lamp at forty five degrees and a white board on the other side => flattering
 illumination of a face|a woman lit by a large soft lamp|портретный свет; софтбокс; отражатель
|reflectors bounced umbrellas of light => bouncing a reflector, umbrella
|отражатели смягчили резкие тени => отражатель смягчает резкая тень
film developing|dark bag; developer bath; stop bath; drying negatives
|pour the chemistry into the tank, turn it over every minute and hang the strip to dry => getting
 pictures from an analogue roll at home|strips of negatives hanging on clips|проявка плёнки;
 проявитель; бачок
|negatives curled as tanks leaked => leaking tank, a curled negative
|плёнки сушили деревянными прищепками => сушить плёнка деревянная прищепка
# swimming
front crawl|bilateral breathing; high elbow; flutter kick; body roll
|turn the head to the side with the shoulder and blow the bubbles out below => sprint style without
 running out of air|a swimmer with one arm over the water|кроль; дыхание в воде; работа ног
|elbows dropped while swimmers gasped => dropping an elbow, a gasping swimmer
|локти роняли уставшие пловцы => локоть роняет уставший пловец
flip turn|tumble turn; push off; wall approach; streamline
|somersault just before the tiles and shove yourself away with both feet => changing direction at
 the end of a lane|an upside down swimmer at a pool wall|кувырок у стенки; отталкивание; разворот
|feet slipped on tiled walls => foot slipping on a wall
|пловцы касались скользких стенок => пловец касается скользкая стенка
open water|wetsuit; sighting buoy; neoprene cap; safety float
|lift your eyes every ten strokes to see the marker and keep away from boats => crossing a lake
 safely|orange floats on a grey lake|открытая вода; гидрокостюм; буй
|wetsuits chafed behind two buoys => chafing of a wetsuit, buoy
|буи срывало штормовым ветром => сорвать буй штормовой ветер
# beekeeping
honey harvest|uncapping knife; extractor; wax frames; strainer
|slice the caps off, spin the combs and let the gold run through a sieve => taking the sweet stuff
 from insects|golden liquid flowing from a steel drum|сбор мёда; медогонка; рамки
|frames were spun and knives heated => heating a knife, spin a frame
|рамки крутили старые пасечники => рамка, крутить, старый пасечник
queen rearing|grafting tool; royal jelly; mating nucleus; marked queen
|move day old larvae into cups and the nurses will raise a new mother => breeding rulers of an
 insect colony|a bee with a blue dot among others|вывод маток; маточное молочко; нуклеус
|larvae were grafted by beekeepers => graft a larva, beekeeper
|матки облетали дальние сады => матка облетает дальний сад
varroa mites|oxalic acid; sticky board; brood break; mite count
|tiny parasites weaken the family before winter so we treat them when there is no brood => sick hive
 with bugs on bees|a red dot on the back of a bee|клещ варроа; щавелевая кислота; обработка ульев
|mites dropped onto sticky boards => mite dropping on a board
|клещи губили слабые семьи => клещ губит слабая семья
# pottery
wheel throwing|centring clay; splash pan; trimming foot; potter wheel
|brace your arms, press the spinning lump to the middle and open it with thumbs => shaping a mud
 bowl by rotation|wet hands around a spinning bowl|гончарный круг; центровка глины; лепка
|lumps wobbled as thumbs opened walls => wobbling lump, thumb
|глины сохли тёплыми ночами => глина сохнет тёплая ночь
glaze firing|kiln shelf; pyrometric cone; bisque; crackle finish
|dip it, let it dry, then twelve hundred degrees until the cone bends => glossy colourful coating in
 an oven|glowing orange shelves behind an open door|обжиг глазури; печь; глянец
|kilns were vented as cones slumped => venting a kiln, slumping cone
|печи остывали двое суток => печь остывает
handbuilt mug|slab roller; pulled handle; slip and score; coil
|roll a sheet, wrap it round a tube and glue the seam with liquid mud => making a cup without any
 machine|a rough grey cup with a thick handle|кружка своими руками; пласт; ручка кружки
|handles cracked off scored seams => crack of a handle on a seam
|ручки лепили мокрыми жгутами => ручка лепится мокрый жгут
# money
mortgage rate|fixed term; down payment; amortisation; bank offer
|the lender asks for twenty percent at once and the rest over thirty years => borrowing to buy a
 flat|keys lying on a signed contract|ставка по ипотеке; первый взнос; банк
|lenders raised rates for borrowers => raising a rate, lender and borrower
|банки поднимали плавающие ставки => банк поднимает плавающая ставка
index fund|expense ratio; passive investing; broad market; rebalancing
|buy a tiny piece of every company each month and never look at the news => simple way to grow
 savings with stocks|a rising green line on a chart|индексный фонд; пассивные инвестиции; комиссия
|investors sold as markets slumped => slump of a market, selling investor
|фонды снизили годовые комиссии => фонд снижает годовая комиссия
household budget|spending categories; envelope method; emergency cushion; receipts
|write down what goes out every day and put cash aside for rent first => avoid being broke before
 payday|coins and a notebook on a kitchen table|семейный бюджет; учёт расходов; конверты
|envelopes emptied before receipts were added => emptying an envelope, add a receipt
|конверты хранили мелкие купюры => конверт хранит мелкая купюра
# dogs
leash training|loose lead; clicker; treat pouch; heel command
|stop like a tree whenever he pulls and go on when the line hangs => pup drags me along the pavement
|a dog walking beside a person on a strap|прогулка на поводке; кликер; лакомство
|leads tangled as puppies lunged => a lunging puppy, tangle of lead
|поводки путали молодые щенки => поводок путает молодой щенок
dog agility|weave poles; a frame; jump bar; course map
|they ran the tunnel and the slalom without a fault in thirty seconds => obstacle race with a
 collie|a border collie leaping over a bar|аджилити; слалом; барьер
|poles bent when collies weaved => weaving collie, a bent pole
|барьеры сбивали быстрые колли => барьер сбивает быстрый колли
puppy vaccination|first shots; rabies; deworming; vet passport
|at eight weeks he gets the needle and stays away from others for a fortnight => protecting a young
 hound from diseases|a vet holding a small brown dog|прививки щенку; ветеринар; паспорт
|needles scared trembling puppies => tremble of a puppy, scary needle
|ветеринары кололи дрожащих щенков => ветеринар колет дрожащий щенок
# woodwork
dovetail joint|marking gauge; fine saw; chisel; half blind
|saw the tails first, trace them on the other board and pare until it slides in => corner of a
 drawer without nails|interlocking wooden corners on a bench|ласточкин хвост; стамеска; ножовка
|chisels slipped on knotted boards => slipping chisel, a knotted board
|стамески точили мокрыми камнями => точить стамеска мокрый камень
table finish|hard wax oil; sanding grit; wipe on varnish; wood grain
|rub it along the fibres, wait ten minutes and buff off what did not soak in => protective coating
 for a desk|a hand rubbing oil into a plank|покрытие стола; масло с воском; шлифовка
|oils blotched on sanded planks => blotching oil, sand a plank
|столы шлифовали мелкой бумагой => шлифовать стол мелкая бумага
workshop dust|cyclone separator; shop vacuum; air filter; blast gate
|a bucket with a cone catches the chips before they reach the hose => keeping sawdust out of the
 lungs
|a grey hose on a saw table|пыль в мастерской; циклон; стружкоотсос
|hoses clogged as gates jammed => clog of a hose, jamming gate
|шланги забивала сырая стружка => шланг забивает сырые стружки
# weather
tornado chase|supercell; wall cloud; hail core; spotter network
|we drove parallel to the funnel and turned south before the road was gone => following a violent
 twister by car|a dark funnel over a flat field|погоня за торнадо; воронка; град
|funnels crossed two highways => crossing a highway, funnel
|воронки срывали железные крыши => воронка срывает железная крыша
flood warning|river gauge; sandbags; evacuation; broken dam
|the stream rose four metres overnight and boats took families from roofs => water came into the
 streets|cars half under brown water|наводнение; уровень реки; дамба
|dams burst and sandbags drifted => bursting dam, drift of a sandbag
|дамбы размыли весенние реки => дамбу размывает весенняя река
heat wave|record temperature; cooling centre; urban island; dry grass
|forty degrees for nine days so the old people were told to stay in the basement => dangerously hot
 summer|a thermometer in the sun above a road|волна жары; рекордная температура; засуха
|rails buckled and fans sold out => buckling rail, selling a fan
|рельсы гнули жаркие полдни => рельс гнёт жаркий полдень
"""


@dataclass(frozen=True)
class Subject:
    """What is written of a subject; pairs are what is said and how it is asked for."""

    theme: str
    name: str
    words: Sequence[str]
    said: tuple[str, str]
    picture: str
    russian: Sequence[str]
    inflected: tuple[str, str]
    russian_inflected: tuple[str, str]


def subjects(written: str) -> list[Subject]:
    """Every subject of a list, in its order."""
    made, theme = [], ""
    for line in re.sub(r"\n(?=\|)|\n(?= )", "", written).strip().splitlines():
        if line.startswith("# "):
            theme = line.removeprefix("# ")
            continue
        name, words, said, picture, russian, inflected, russian_inflected = line.split("|")
        pairs = [_pair(of) for of in (said, inflected, russian_inflected)]
        listed = [[part.strip() for part in of.split(";")] for of in (words, russian)]
        made.append(Subject(theme, name, listed[0], pairs[0], picture, listed[1], *pairs[1:]))
    return made


def _pair(text: str) -> tuple[str, str]:
    said, asked = text.split(" => ")
    return said, asked
